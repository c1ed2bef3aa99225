/* What all echo servers need: a listener, accepted sockets with their options,
 * and the words for what went wrong. */
#include "echo.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

int echo_listen(const struct echo_options *options)
{
	const struct address *address = &options->listen;
	const char *congestion = options->congestion;
	int one = 1;
	FD_AUTO int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int listener;

	if (fd >= 0 && congestion &&
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) != 0)
		return -errno;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		bind(fd, &address->any, address->len) != 0 || listen(fd, ECHO_BACKLOG) != 0)
		return -errno;
	listener = fd;
	fd = -1;
	return listener;
}

void echo_announce(int listener)
{
	struct address bound = {.len = sizeof(bound.v6)};
	char text[ADDRESS_TEXT_MAX];

	/* It cannot fail: the socket is ours and bound. */
	CHECK(getsockname(listener, &bound.any, &bound.len) == 0);
	address_print(&bound, text, sizeof(text));
	printf("listening on %s\n", text);
	fflush(stdout);
}

static void prepare_busy_poll(unsigned microseconds, int fd)
{
	static bool is_told;
	int value = (int)microseconds;
	unsigned queue = 0;
	socklen_t len = sizeof(queue);

	if (setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &value, sizeof(value)) != 0) {
		if (!is_told)
			fprintf(stderr, "splicebench echo: busy poll was refused: %s\n", strerror(errno));
		is_told = true;
		return;
	}
	if (!is_told && getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &queue, &len) == 0 && queue == 0) {
		fprintf(stderr,
			"splicebench echo: busy poll has no effect: the connection did not come through a "
			"device queue that can be polled\n");
		is_told = true;
	}
}

void echo_socket_prepare(const struct echo_options *options, int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (options->busy_poll_us > 0)
		prepare_busy_poll(options->busy_poll_us, fd);
}

int echo_accept(const struct echo_options *options, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			echo_socket_prepare(options, fd);
			return fd;
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return -errno;
	}
}

int echo_write_all(int fd, const char *bytes, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t count = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		sent += (size_t)count;
	}
	return 0;
}

void echo_report(const char *what, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		return;
	fprintf(stderr, "splicebench echo: %s: %s\n", what, strerror(error));
}

int echo_serve_in_turn(
	const struct echo_options *options, int listener, void (*on_connection)(int fd, void *ctx), void *ctx)
{
	echo_announce(listener);
	for (;;) {
		FD_AUTO int fd = echo_accept(options, listener);

		if (fd < 0) {
			echo_report("accept", -fd);
			return 1;
		}
		on_connection(fd, ctx);
		if (options->is_once)
			return 0;
	}
}

int echo_pipe_create(int ret_ends[2])
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	/* A refusal leaves the pipe at the size that the user may have. */
	(void)fcntl(ends[0], F_SETPIPE_SZ, ECHO_PIPE_BYTES);
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}
