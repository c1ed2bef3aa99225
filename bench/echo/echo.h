/* The echo servers of `splicebench echo`: one row of a table per way to carry
 * bytes from a socket back to itself.  A method serves until the process is
 * ended, or with --once until its first connection is over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/status.h"

enum {
	ECHO_BUFFER_BYTES = 128 * 1024, /* one read of the methods that copy */
	ECHO_PIPE_BYTES = 512 * 1024, /* one splice of the methods that splice */
	ECHO_CONNECTIONS_MAX = 1024, /* open at once, where a method serves several */
	ECHO_BACKLOG = 128,
};

struct echo_options {
	struct address listen;
	unsigned busy_poll_us; /* 0: SO_BUSY_POLL is not set */
	const char *congestion; /* NULL: the system's choice */
	bool is_once;
};

/* Serves the connections of a listening blocking socket, and calls
 * echo_announce() once nothing can keep it from doing so.  Returns 0 when --once
 * was fulfilled and 1 after a failure that it has told on stderr. */
typedef int (*echo_serve)(const struct echo_options *options, int listener);

int echo_naive_serve(const struct echo_options *options, int listener);
int echo_thread_serve(const struct echo_options *options, int listener);
int echo_iosubmit_serve(const struct echo_options *options, int listener);
int echo_splice_serve(const struct echo_options *options, int listener);
#ifdef ECHO_HAS_URING
struct io_uring;
typedef void (*echo_uring_completion)(void *ctx, uint64_t user_data, int result);
/* Submits, waits and gives each completion to the callback, until *is_over.  Returns 0, or 1 after a
 * failure that it has told on stderr. */
int echo_uring_run(struct io_uring *ring, const bool *is_over, echo_uring_completion complete, void *ctx);
int echo_uring_serve(const struct echo_options *options, int listener);
int echo_uring_sqpoll_serve(const struct echo_options *options, int listener);
int echo_uring_link_serve(const struct echo_options *options, int listener);
#endif
#ifdef ECHO_HAS_SOCKMAP
int echo_sockmap_serve(const struct echo_options *options, int listener);
#endif

/* echo_socket.c: what the methods share. */

/* A blocking TCP listener; accepted sockets have its congestion control.  Returns
 * the descriptor or a negative errno, -ENOENT when there is no such congestion control. */
int echo_listen(const struct echo_options *options) MUST_USE;
/* Prints "listening on ADDR:PORT", the first line on stdout. */
void echo_announce(int listener);
/* Waits for a connection; it is blocking and prepared by echo_socket_prepare().
 * Returns the descriptor or a negative errno; connections that died in the
 * backlog are skipped. */
int echo_accept(const struct echo_options *options, int listener) MUST_USE;
/* Sets TCP_NODELAY and, when asked for, SO_BUSY_POLL.  Once a process it says
 * on stderr that busy polling was refused, or that nothing can be polled
 * because the connection did not come through a device queue. */
void echo_socket_prepare(const struct echo_options *options, int fd);
/* Writes all bytes to a blocking socket.  Returns 0 or a negative errno. */
int echo_write_all(int fd, const char *bytes, size_t len) MUST_USE;
/* Tells on stderr how a connection failed; ends of the peer's making are not told. */
void echo_report(const char *what, int error);
/* Announces, then accepts one connection after another and gives each to the callback, which
 * returns when it is over; then closes it. */
int echo_serve_in_turn(const struct echo_options *options, int listener,
	void (*on_connection)(int fd, void *ctx), void *ctx);

/* A pipe of ECHO_PIPE_BYTES, or of what the user's limit allows.  Both ends block.
 * Returns 0 or a negative errno. */
int echo_pipe_create(int ret_ends[2]) MUST_USE;
