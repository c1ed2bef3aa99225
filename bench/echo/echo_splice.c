/* The echo server that splices: socket to pipe, pipe to the same socket. */
#include "echo.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

/* Returns 0 or a negative errno. */
static int drain_pipe(int pipe_end, int fd, size_t len)
{
	while (len > 0) {
		ssize_t count = splice(pipe_end, NULL, fd, NULL, len, SPLICE_F_MOVE);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EPIPE;
		len -= (size_t)count;
	}
	return 0;
}

static void serve_splice(int fd, void *ctx)
{
	const int *ends = ctx;

	for (;;) {
		ssize_t count = splice(fd, NULL, ends[1], NULL, ECHO_PIPE_BYTES, SPLICE_F_MOVE);
		int error;

		if (count == 0)
			return;
		if (count < 0) {
			echo_report("splice from the socket", errno);
			return;
		}
		error = drain_pipe(ends[0], fd, (size_t)count);
		if (error < 0) {
			echo_report("splice to the socket", -error);
			return;
		}
	}
}

/* A pipe of its own for each connection: one that broke may leave bytes behind. */
static void serve_with_pipe(int fd, void *ctx)
{
	int ends[2];
	int error = echo_pipe_create(ends);

	(void)ctx;
	if (error < 0) {
		echo_report("pipe", -error);
		return;
	}
	serve_splice(fd, ends);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

int echo_splice_serve(const struct echo_options *options, int listener)
{
	return echo_serve_in_turn(options, listener, serve_with_pipe, NULL);
}
