/* The rig: proxy, echo server and clients take turns in one thread. */

#include "fault_rig.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "fault_calls.h"

enum {
	STREAM_BYTES = 96 * 1024,
	SOCKET_BUFFER_BYTES = 8 * 1024,
	CHUNK_BYTES = 16 * 1024,
	ROUND_MS = 2,
	PATIENCE_MS = 8000,
};

/* --- the server: sends back what it gets --- */

static void loopback(struct sockaddr_in *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sin_family = AF_INET;
	ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void server_start(struct rig *rig)
{
	struct sockaddr_in *address = &rig->server_config.address.v4;
	socklen_t len = sizeof(*address);
	const int bytes = SOCKET_BUFFER_BYTES;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	loopback(address);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), errno);
	assert_return_code(bind(fd, &rig->server_config.address.any, len), errno);
	assert_return_code(listen(fd, RIG_CLIENTS), errno);
	assert_return_code(getsockname(fd, &rig->server_config.address.any, &len), errno);
	rig->server_config.address.len = len;
	rig->server.listening_fd = fd;
}

/* Looks first, so that nothing is taken that cannot be sent back. */
static bool echo(int fd)
{
	static char bytes[CHUNK_BYTES];
	ssize_t seen = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (seen < 0)
		return errno == EAGAIN;
	if (seen == 0)
		return false;
	ssize_t sent = send(fd, bytes, (size_t)seen, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN;
	return recv(fd, bytes, (size_t)sent, MSG_DONTWAIT) == sent;
}

static void server_run(struct rig_server *server)
{
	int fd = accept4(server->listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		assert_true(server->fds_count < ARRAY_LENGTH(server->fds));
		server->fds[server->fds_count++] = fd;
	}
	for (unsigned i = 0; i < server->fds_count;) {
		if (echo(server->fds[i])) {
			i++;
			continue;
		}
		fd_close(&server->fds[i]);
		server->fds[i] = server->fds[--server->fds_count];
	}
}

static void server_stop(struct rig_server *server)
{
	while (server->fds_count > 0)
		fd_close(&server->fds[--server->fds_count]);
	fd_close(&server->listening_fd);
}

/* --- the proxy --- */

static void configure(struct rig *rig)
{
	struct config_proxy *frontend = &rig->frontend_config, *backend = &rig->backend_config;
	rig->global.relay = "copy";
	rig->global.client_sndbuf = rig->global.server_sndbuf = SOCKET_BUFFER_BYTES;
	rig->bind = (struct config_bind){
		.text = "127.0.0.1", .inherited_fd = -1, .unix_mode = -1, .unix_uid = -1, .unix_gid = -1};
	loopback(&rig->bind.address.v4);
	rig->bind.address.len = sizeof(rig->bind.address.v4);
	frontend->name = "in";
	frontend->roles = CONFIG_ROLE_FRONTEND;
	frontend->binds = &rig->bind;
	frontend->has_splice_request = true; /* one direction by pipe, the other by buffer */
	frontend->timeouts = (struct config_timeouts){.client_ms = 5000};
	backend->name = "out";
	backend->roles = CONFIG_ROLE_BACKEND;
	backend->servers = &rig->server_config;
	backend->servers_count = 1;
	backend->retries = 1;
	backend->timeouts = (struct config_timeouts){.connect_ms = 40, .server_ms = 5000, .queue_ms = 5000};
	rig->server_config.name = "echo";
	rig->server_config.weight = 1;
	rig->server_config.maxconn = 1; /* so that there is a queue */
}

static void on_accept(void *context, struct listener *listener, int fd, const struct address *peer)
{
	struct rig *rig = context;
	session_open(&rig->table, listener, fd, peer);
}

static int table_start(struct rig *rig)
{
	rig->table = (struct session_table){
		.loop = rig->loop,
		.global = &rig->global,
		.limits = &rig->limits,
		.next_id = 1,
		.ids_step = 1,
		.relay_worker.options =
			{
				.buffer_bytes = 8 * 1024,
				.pipe_bytes = 64 * 1024,
				.pipes_max = 8,
				.held_bytes_max = 1024 * 1024,
			},
	};
	int result = session_table_init(&rig->table);
	rig->has_table = result == 0;
	return result;
}

static int proxy_start(struct rig *rig)
{
	char reason[256];
	rig->loop = loop_create();
	if (rig->loop == NULL)
		return -errno;
	int result = backend_create(&rig->backend_config, 1, &rig->backend);
	if (result == 0)
		result = frontend_create(&rig->frontend_config, 1, 0, &rig->frontend);
	if (result == 0)
		result = listener_open_all(rig->frontend, &rig->global, reason, sizeof(reason));
	if (result == 0)
		result = table_start(rig);
	if (result < 0)
		return result;
	rig->frontend->default_backend = rig->backend;
	const struct acceptor_options options = {
		.loop = rig->loop,
		.limits = &rig->limits,
		.burst_max = RIG_CLIENTS,
		.on_accept = on_accept,
		.context = rig,
	};
	return acceptor_create(&options, rig->frontend->listeners, &rig->acceptor);
}

static void proxy_stop(struct rig *rig)
{
	fault_enter();
	acceptor_destroy(rig->acceptor);
	if (rig->has_table) {
		session_table_kill_all(&rig->table, CLOSE_SHUTDOWN);
		loop_run_once(rig->loop, 0);
		session_table_release(&rig->table);
	}
	loop_destroy(rig->loop);
	frontend_destroy(rig->frontend);
	backend_destroy(rig->backend);
	fault_leave();
}

int rig_start(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	configure(rig);
	server_start(rig);
	fault_enter();
	int result = proxy_start(rig);
	if (result == 0)
		acceptor_start(rig->acceptor);
	fault_leave();
	if (result < 0) {
		proxy_stop(rig);
		server_stop(&rig->server);
	}
	return result;
}

void rig_stop(struct rig *rig)
{
	proxy_stop(rig);
	server_stop(&rig->server);
}

static void proxy_run(struct rig *rig)
{
	fault_enter();
	loop_run_once(rig->loop, ROUND_MS);
	fault_leave();
}

void rig_settle(struct rig *rig)
{
	uint64_t give_up_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (!list_is_empty(&rig->table.sessions) || rig->table.pool.used > 0) {
		assert_true(clock_monotonic_ms() < give_up_ms);
		proxy_run(rig);
		server_run(&rig->server);
	}
}

/* --- clients --- */

static char content(unsigned position)
{
	return (char)(position * 2654435761u >> 13);
}

static void client_start(struct rig *rig, struct rig_client *client)
{
	struct address address;
	const int bytes = SOCKET_BUFFER_BYTES;
	*client = (struct rig_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	assert_true(client->fd >= 0);
	assert_return_code(setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), errno);
	address_from_endpoint(&rig->frontend->listeners->local, &address);
	int result = connect(client->fd, &address.any, address.len);
	assert_true(result == 0 || errno == EINPROGRESS);
}

static void client_write(struct rig_client *client)
{
	char bytes[CHUNK_BYTES];
	unsigned len = STREAM_BYTES - client->written;
	if (len == 0)
		return;
	if (len > CHUNK_BYTES)
		len = CHUNK_BYTES;
	for (unsigned i = 0; i < len; i++)
		bytes[i] = content(client->written + i);
	ssize_t sent = send(client->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN)
		client->is_broken = true;
	if (sent > 0)
		client->written += (unsigned)sent;
	if (client->written == STREAM_BYTES)
		(void)shutdown(client->fd, SHUT_WR);
}

static void client_read(struct rig_client *client)
{
	char bytes[CHUNK_BYTES];
	ssize_t taken = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (taken < 0 && errno == EAGAIN)
		return;
	for (ssize_t i = 0; i < taken; i++)
		assert_int_equal(bytes[i], content(client->read + (unsigned)i));
	if (taken > 0)
		client->read += (unsigned)taken;
	client->is_done = taken == 0;
	client->is_broken = client->is_broken || taken < 0;
}

/* Reads little at first, so that bytes get stuck on the way back. */
static void client_run(struct rig_client *client, unsigned round)
{
	if (client->is_done || client->is_broken)
		return;
	client_write(client);
	if (round % 8 == 0 || client->written == STREAM_BYTES)
		client_read(client);
}

unsigned rig_clients_run(struct rig *rig, unsigned count)
{
	struct rig_client clients[RIG_CLIENTS];
	uint64_t give_up_ms = clock_monotonic_ms() + PATIENCE_MS;
	unsigned ended = 0, good = 0;
	for (unsigned i = 0; i < count; i++)
		client_start(rig, &clients[i]);
	for (unsigned round = 0; ended < count; round++) {
		assert_true(clock_monotonic_ms() < give_up_ms);
		proxy_run(rig);
		server_run(&rig->server);
		ended = 0;
		for (unsigned i = 0; i < count; i++) {
			client_run(&clients[i], round);
			ended += clients[i].is_done || clients[i].is_broken;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		good += clients[i].is_done && clients[i].read == STREAM_BYTES;
		fd_close(&clients[i].fd);
	}
	return good;
}

unsigned rig_fds_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;
	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	(void)closedir(folder);
	return count;
}
