/* Serves the metrics pages.  libmicrohttpd keeps its sockets in an epoll set of
 * its own; that set is one descriptor in our loop. */
#include "admin/metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics_page.h"
#include "base/fd.h"
#include "base/log.h"

enum {
	CONNECTIONS_MAX = 32,
	CONNECTION_TIMEOUT_S = 10,
	CONNECTION_MEMORY_BYTES = 32 * 1024,
};

struct metrics_server {
	struct admin *admin;
	struct admin_socket listening;
	struct MHD_Daemon *daemon;
	struct loop_watch watch;
	struct loop_timer timer;
};

/* One answer on its way: the page and what of it was not taken yet. */
struct metrics_answer {
	struct metrics_page page;
	struct text_grow text;
	size_t sent;
	bool has_more;
};

static const struct {
	const char *path;
	enum metrics_page_kind kind;
} pages[] = {{"/metrics", PAGE_METRICS}, {"/stats.json", PAGE_STATS_JSON}, {"/", PAGE_INDEX}};

static ssize_t on_read(void *context, uint64_t position, char *buffer, size_t room)
{
	struct metrics_answer *answer = context;
	(void)position;
	if (answer->sent == answer->text.len) {
		answer->sent = 0;
		answer->text.len = 0;
		if (!answer->has_more)
			return MHD_CONTENT_READER_END_OF_STREAM;
		answer->has_more = metrics_page_fill(&answer->page, &answer->text);
		if (answer->text.is_cut)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (answer->text.len == 0)
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	size_t len = answer->text.len - answer->sent;
	len = len < room ? len : room;
	memcpy(buffer, answer->text.start + answer->sent, len);
	answer->sent += len;
	return (ssize_t)len;
}

static void on_answer_end(void *context)
{
	struct metrics_answer *answer = context;
	text_grow_release(&answer->text);
	free(answer);
}

static enum MHD_Result error_send(struct MHD_Connection *connection, unsigned status, const char *sentence)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(sentence), (void *)(uintptr_t)sentence, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result page_send(
	struct admin *admin, struct MHD_Connection *connection, enum metrics_page_kind kind)
{
	enum { BLOCK_BYTES = 16 * 1024 };
	struct metrics_answer *answer = calloc(1, sizeof(*answer));
	if (!answer)
		return MHD_NO;
	answer->page = (struct metrics_page){.admin = admin, .kind = kind};
	answer->has_more = true;
	text_grow_init(&answer->text, METRICS_CHUNK_MAX);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, answer, on_answer_end);
	if (!response) {
		on_answer_end(answer);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", metrics_page_type(kind));
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct metrics_server *server = context;
	(void)version;
	(void)upload;
	(void)state;
	/* What is sent along with a request is thrown away. */
	*upload_size = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return error_send(
			connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are known here.\n");
	for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
		if (strcmp(url, pages[i].path) == 0)
			return page_send(server->admin, connection, pages[i].kind);
	}
	return error_send(connection, MHD_HTTP_NOT_FOUND, "There are /metrics, /stats.json and / here.\n");
}

/* Lets the library work, then asks when it wants to work again by itself. */
static void server_run(struct metrics_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	struct loop *loop = server->admin->loop;
	(void)MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
		loop_timer_set(loop, &server->timer, loop_now_ms(loop) + wait_ms);
	else
		loop_timer_cancel(loop, &server->timer);
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	(void)events;
	server_run(container_of(watch, struct metrics_server, watch));
}

static void on_timer(struct loop_timer *timer)
{
	server_run(container_of(timer, struct metrics_server, timer));
}

static int daemon_start(struct metrics_server *server)
{
	const union MHD_DaemonInfo *info = NULL;
	server->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
		MHD_OPTION_LISTEN_SOCKET, server->listening.fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
	if (!server->daemon)
		return -EIO;
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	return loop_watch_add(
		server->admin->loop, &server->watch, info->epoll_fd, LOOP_READABLE | LOOP_LEVEL, on_ready);
}

int metrics_server_create(struct admin *admin, struct metrics_server **ret_server)
{
	char name[ADDRESS_TEXT_MAX];
	struct admin_socket_options options = {
		.address = admin->global->metrics_address,
		.mode = -1,
		.uid = -1,
		.gid = -1,
		.bound_before = admin->instance->bound_before,
	};
	struct metrics_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->admin = admin;
	server->watch.fd = -1;
	server->listening.fd = -1;
	loop_timer_init(&server->timer, on_timer);
	int error = admin_socket_open(&options, &server->listening);
	if (error == 0)
		error = daemon_start(server);
	if (error != 0) {
		address_print(&admin->global->metrics_address, name, sizeof(name));
		log_event(LOG_LEVEL_ALERT, "config : metrics bind: cannot listen at [%s] (%s).", name,
			strerror(-error));
		metrics_server_destroy(server);
		return error;
	}
	server_run(server);
	*ret_server = server;
	return 0;
}

int metrics_server_offer(const struct metrics_server *server, struct socket_set *set)
{
	return server ? admin_socket_offer(&server->listening, set) : 0;
}

void metrics_server_leave(struct metrics_server *server)
{
	if (!server || !server->daemon || server->listening.fd < 0)
		return;
	/* The library has it in its epoll set, which goes by the open file that others have too. */
	if (MHD_quiesce_daemon(server->daemon) != MHD_INVALID_SOCKET)
		admin_socket_close(&server->listening);
}

/* The daemon closes the listening socket it was given. */
void metrics_server_destroy(struct metrics_server *server)
{
	if (!server)
		return;
	loop_watch_remove(server->admin->loop, &server->watch, false);
	loop_timer_cancel(server->admin->loop, &server->timer);
	if (server->daemon) {
		MHD_stop_daemon(server->daemon);
		server->listening.fd = -1;
	}
	admin_socket_close(&server->listening);
	free(server);
}
