/* Where a process gets its listening sockets from before it binds any, and the channel
 * between a master process and its workers.
 *
 * The channel is a pair of sockets.  The master first sends the sockets it holds; the worker
 * sends back all it listens at once it serves, which says so; later the master sends orders. */
#pragma once

#include "base/status.h"
#include "net/socket_set.h"

enum { HANDOVER_TEXT_MAX = 4096 };

enum handover_order_kind {
	HANDOVER_EVENT = 1, /* to be logged: the text */
	HANDOVER_CLIENT, /* of the runtime socket: a connection, and the line it has sent */
};

struct handover_order {
	enum handover_order_kind kind;
	int fd; /* -1: none.  Received: the caller's */
	char text[HANDOVER_TEXT_MAX];
};

/* The descriptor of the channel to the master that started this process, or -1.  It is
 * CLOEXEC and non-blocking afterwards.  The environment says it, and forgets it. */
int handover_channel_find(void);
/* What the child has to call before exec, so that the new program finds its end. */
void handover_channel_pass(int channel);

/* -x: asks the process behind a runtime socket.  Reports by log_event; 0 or -errno. */
int handover_ask(const char *path, struct socket_set *set) MUST_USE;

/* Never blocks; returns 0 or -errno. */
int handover_order_send(int channel, const struct handover_order *order) MUST_USE;
/* Returns 0, -EAGAIN, -ECONNRESET when the other side has gone, or another -errno. */
int handover_order_receive(int channel, struct handover_order *ret_order) MUST_USE;
