/* The echo server on linked IORING_OP_SPLICE: each turn submits socket to pipe
 * and pipe to socket as one chain, so that user space is woken once
 * for both. */
#include "echo.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fd.h"

enum {
	RING_ENTRIES = 4096, /* four times ECHO_CONNECTIONS_MAX: no operation is refused */
	CONNECTION_MAGIC = 0x6c696e6b,
	DIRECTION_MASK = 1, /* the lowest bit of user_data; the rest is the connection */
};

enum direction { DIRECTION_IN, DIRECTION_OUT };

/* Freed when in_flight is zero and no operation was started. */
struct connection {
	uint32_t magic;
	int fd;
	int ends[2];
	unsigned in_flight;
	int results[2]; /* by direction, of the turn under way */
	size_t held; /* bytes in the pipe */
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

	/* Every connection has two operations at most, so the ring cannot be full. */
	CHECK(entry != NULL);
	return entry;
}

static void start_accept(struct server *server)
{
	struct io_uring_sqe *entry = take_entry(server);

	io_uring_prep_accept(entry, server->listener, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data64(entry, 0);
}

static void start_splice(
	struct server *server, struct connection *connection, enum direction direction, unsigned flags)
{
	struct io_uring_sqe *entry = take_entry(server);
	bool is_in = direction == DIRECTION_IN;

	io_uring_prep_splice(entry, is_in ? connection->fd : connection->ends[0], -1,
		is_in ? connection->ends[1] : connection->fd, -1, ECHO_PIPE_BYTES, SPLICE_F_MOVE | flags);
	io_uring_sqe_set_data64(entry, (uintptr_t)connection | (unsigned)direction);
	/* Soft links break when a splice is shorter than asked for, as all of these are. */
	if (is_in)
		entry->flags |= IOSQE_IO_HARDLINK;
	connection->in_flight++;
}

/* The second half must not wait for a pipe that the first half left empty. */
static void start_turn(struct server *server, struct connection *connection)
{
	connection->results[DIRECTION_IN] = 0;
	connection->results[DIRECTION_OUT] = 0;
	start_splice(server, connection, DIRECTION_IN, 0);
	start_splice(server, connection, DIRECTION_OUT, SPLICE_F_NONBLOCK);
}

static void start_rest(struct server *server, struct connection *connection)
{
	connection->results[DIRECTION_IN] = 1;
	connection->results[DIRECTION_OUT] = 0;
	start_splice(server, connection, DIRECTION_OUT, 0);
}

static void end_connection(struct server *server, struct connection *connection)
{
	fd_close(&connection->fd);
	fd_close(&connection->ends[0]);
	fd_close(&connection->ends[1]);
	connection->magic = 0;
	free(connection);
	server->connections--;
	server->is_over = server->options->is_once;
}

static void on_accepted(struct server *server, int result)
{
	FD_AUTO int fd = result;
	struct connection *connection;
	int error;

	start_accept(server);
	if (fd < 0) {
		echo_report("accept", -result);
		return;
	}
	connection = server->connections < ECHO_CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;
	error = connection ? echo_pipe_create(connection->ends) : -ENOMEM;
	if (error < 0) {
		echo_report("a connection was closed", -error);
		free(connection);
		return;
	}
	connection->magic = CONNECTION_MAGIC;
	connection->fd = fd;
	fd = -1;
	server->connections++;
	echo_socket_prepare(server->options, connection->fd);
	start_turn(server, connection);
}

static void on_turn_over(struct server *server, struct connection *connection)
{
	int in = connection->results[DIRECTION_IN];
	int out = connection->results[DIRECTION_OUT];

	if (in < 0)
		echo_report("splice from the socket", -in);
	if (in > 0 && out < 0 && out != -EAGAIN) {
		echo_report("splice to the socket", -out);
		in = 0;
	}
	if (in <= 0)
		end_connection(server, connection);
	else if (connection->held > 0)
		start_rest(server, connection);
	else
		start_turn(server, connection);
}

static void on_spliced(struct server *server, uint64_t user_data, int result)
{
	enum direction direction = user_data & DIRECTION_MASK;
	struct connection *connection = (void *)(uintptr_t)(user_data & ~(uint64_t)DIRECTION_MASK);

	CHECK(connection->magic == CONNECTION_MAGIC);
	CHECK(connection->in_flight > 0);
	connection->in_flight--;
	connection->results[direction] = result;
	if (result > 0 && direction == DIRECTION_IN)
		connection->held += (size_t)result;
	if (result > 0 && direction == DIRECTION_OUT)
		connection->held -= (size_t)result;
	if (connection->in_flight == 0)
		on_turn_over(server, connection);
}

static void on_completion(void *ctx, uint64_t user_data, int result)
{
	struct server *server = ctx;

	if (user_data == 0)
		on_accepted(server, result);
	else
		on_spliced(server, user_data, result);
}

int echo_uring_link_serve(const struct echo_options *options, int listener)
{
	struct server server = {.options = options, .listener = listener};
	int error = io_uring_queue_init(RING_ENTRIES, &server.ring, 0);
	int status;

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
