/* A watched socket, and what its watch has reported. */
#pragma once

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop_fixtures.h"

/* Passes a test may need until something promised has come. */
enum { PASSES_MAX = 100, PASS_WAIT_MS = 100 };

struct seen {
	struct loop_watch watch;
	int fds[2]; /* a socket pair: [0] watched, [1] the other end */
	unsigned calls, events; /* events of all calls together */
	void (*on_seen)(struct seen *seen);
	struct seen *other;
};

static inline void seen_ready(struct loop_watch *watch, unsigned events)
{
	struct seen *seen = container_of(watch, struct seen, watch);

	seen->calls++;
	seen->events |= events;
	if (seen->on_seen)
		seen->on_seen(seen);
}

static inline void seen_open(struct seen *seen, unsigned interest)
{
	memset(seen, 0, sizeof(*seen));
	seen->watch.fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, seen->fds), 0);
	assert_int_equal(loop_watch_add(loop, &seen->watch, seen->fds[0], interest, seen_ready), 0);
}

static inline void seen_close(struct seen *seen)
{
	loop_watch_remove(loop, &seen->watch, true);
	fd_close(&seen->fds[0]);
	fd_close(&seen->fds[1]);
}

static inline void seen_forget(struct seen *seen)
{
	seen->calls = 0;
	seen->events = 0;
}

static inline void poke(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

/* Two TCP sockets connected to each other. */
static inline void tcp_pair(int ret_fds[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	FD_AUTO int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&address, len), 0);
	ret_fds[1] = accept(listener, NULL, NULL);
	assert_true(ret_fds[1] >= 0);
}
