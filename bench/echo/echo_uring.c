/* The echo servers on io_uring's recv and send: one thread, one ring, several
 * connections, one operation in flight for each; plainly, or with a kernel
 * thread that polls the submission queue. */
#include "echo.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fd.h"

enum {
	RING_ENTRIES = 2048, /* twice ECHO_CONNECTIONS_MAX: no operation is refused */
	SQPOLL_IDLE_MS = 1000, /* the polling thread sleeps after this */
	CONNECTION_MAGIC = 0x6563686f,
};

/* Either receiving into the buffer or sending sent..len of it; freed when its
 * one operation has completed and no other was started. */
struct connection {
	uint32_t magic;
	int fd;
	bool is_sending;
	size_t sent, len;
	char buffer[ECHO_BUFFER_BYTES];
};

struct server {
	struct io_uring ring;
	const struct echo_options *options;
	int listener;
	unsigned connections;
	bool is_over;
};

static struct io_uring_sqe *take_entry(struct server *server)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&server->ring);

	while (!entry) {
		int error = io_uring_submit(&server->ring);

		CHECK(error >= 0);
		if (server->ring.flags & IORING_SETUP_SQPOLL)
			(void)io_uring_sqring_wait(&server->ring);
		entry = io_uring_get_sqe(&server->ring);
	}
	return entry;
}

static void start_accept(struct server *server)
{
	struct io_uring_sqe *entry = take_entry(server);

	io_uring_prep_accept(entry, server->listener, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data(entry, NULL);
}

static void start_receive(struct server *server, struct connection *connection)
{
	struct io_uring_sqe *entry = take_entry(server);

	connection->is_sending = false;
	io_uring_prep_recv(entry, connection->fd, connection->buffer, sizeof(connection->buffer), 0);
	io_uring_sqe_set_data(entry, connection);
}

static void start_send(struct server *server, struct connection *connection)
{
	struct io_uring_sqe *entry = take_entry(server);

	connection->is_sending = true;
	io_uring_prep_send(entry, connection->fd, connection->buffer + connection->sent,
		connection->len - connection->sent, MSG_NOSIGNAL | MSG_WAITALL);
	io_uring_sqe_set_data(entry, connection);
}

static void end_connection(struct server *server, struct connection *connection)
{
	fd_close(&connection->fd);
	connection->magic = 0;
	free(connection);
	server->connections--;
	server->is_over = server->options->is_once;
}

static void on_accepted(struct server *server, int result)
{
	struct connection *connection;

	start_accept(server);
	if (result < 0) {
		echo_report("accept", -result);
		return;
	}
	connection = server->connections < ECHO_CONNECTIONS_MAX ? malloc(sizeof(*connection)) : NULL;
	if (!connection) {
		fprintf(stderr, "splicebench echo: a connection too many was closed\n");
		fd_close(&result);
		return;
	}
	connection->magic = CONNECTION_MAGIC;
	connection->fd = result;
	server->connections++;
	echo_socket_prepare(server->options, result);
	start_receive(server, connection);
}

static void on_moved(struct server *server, struct connection *connection, int result)
{
	CHECK(connection->magic == CONNECTION_MAGIC);
	if (result <= 0) {
		if (result < 0)
			echo_report(connection->is_sending ? "send" : "recv", -result);
		end_connection(server, connection);
		return;
	}
	if (!connection->is_sending) {
		connection->sent = 0;
		connection->len = (size_t)result;
		start_send(server, connection);
		return;
	}
	connection->sent += (size_t)result;
	if (connection->sent < connection->len)
		start_send(server, connection);
	else
		start_receive(server, connection);
}

static void on_completion(void *ctx, uint64_t user_data, int result)
{
	struct server *server = ctx;
	struct connection *connection = (void *)(uintptr_t)user_data;

	if (connection)
		on_moved(server, connection, result);
	else
		on_accepted(server, result);
}

int echo_uring_run(struct io_uring *ring, const bool *is_over, echo_uring_completion complete, void *ctx)
{
	while (!*is_over) {
		struct io_uring_cqe *completion;
		unsigned head, count = 0;
		int error = io_uring_submit_and_wait(ring, 1);

		if (error < 0 && error != -EINTR) {
			echo_report("io_uring", -error);
			return 1;
		}
		io_uring_for_each_cqe(ring, head, completion)
		{
			complete(ctx, completion->user_data, completion->res);
			count++;
		}
		io_uring_cq_advance(ring, count);
	}
	return 0;
}

static int serve(const struct echo_options *options, int listener, struct io_uring_params *params)
{
	struct server server = {.options = options, .listener = listener};
	int error = io_uring_queue_init_params(RING_ENTRIES, &server.ring, params);
	int status;

	if (error == -EINVAL && !(params->flags & IORING_SETUP_SQPOLL)) {
		/* A kernel before 6.1 does not know the flags; the rest is the same without. */
		memset(params, 0, sizeof(*params));
		error = io_uring_queue_init_params(RING_ENTRIES, &server.ring, params);
	}
	if (error < 0) {
		fprintf(stderr, "splicebench echo: io_uring is not available here: %s\n", strerror(-error));
		return 1;
	}
	echo_announce(listener);
	start_accept(&server);
	status = echo_uring_run(&server.ring, &server.is_over, on_completion, &server);
	io_uring_queue_exit(&server.ring);
	return status;
}

int echo_uring_serve(const struct echo_options *options, int listener)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};

	return serve(options, listener, &params);
}

int echo_uring_sqpoll_serve(const struct echo_options *options, int listener)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = SQPOLL_IDLE_MS};

	return serve(options, listener, &params);
}
