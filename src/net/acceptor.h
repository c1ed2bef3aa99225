/* Accepting on one worker: bounded bursts, limits before the connection exists,
 * back-off when descriptors or memory run out. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"
#include "net/listener.h"

struct acceptor;

/* Limits of the whole process, shared by every acceptor; gauges are atomics.  All
 * zero is a valid start.  Every maxconn here and below: 0 is no limit. */
struct accept_limits {
	uint32_t maxconn; /* `set maxconn global` changes it (atomic) */
	uint32_t conn_cur, conn_max;
	uint64_t conn_total; /* atomic add; `show info` CumConns */
	struct rate_meter rate;
	uint32_t rate_max;
	uint64_t exhausted; /* times EMFILE, ENFILE, ENOMEM or ENOBUFS stopped us */

	pthread_mutex_t parked_lock; /* private */
	struct list parked; /* private (parked_lock): acceptors that sleep, longest first */
	uint32_t parked_count; /* private, atomic: those that acceptor_release() may wake */
};

struct acceptor_options {
	struct loop *loop;
	struct accept_limits *limits;
	unsigned worker; /* index into listener->sockets and counters */
	unsigned round; /* which of the worker's sockets, below listener_rounds() */
	unsigned burst_max; /* accepts a pass and listener */
	/* Owns fd (non-blocking, CLOEXEC).  The gauges of limits, frontend and listener
	 * are already raised; whoever ends the connection calls acceptor_release().  Already
	 * counted too: the rates of limits and frontend, conn_total, and `connections` of
	 * the frontend's and the listener's counters.  May call acceptor_stop(). */
	void (*on_accept)(void *context, struct listener *listener, int fd, const struct address *peer);
	void *context;
};

/* One per worker and listener.  Nothing is accepted before acceptor_start. */
int acceptor_create(const struct acceptor_options *options, struct listener *listener,
	struct acceptor **ret_acceptor) MUST_USE;
/* On the loop's thread, also for one that has started: it looks at its frontend's state
 * again.  Cannot fail: what the kernel refuses is tried again by a timer. */
void acceptor_start(struct acceptor *acceptor);
/* On the loop's thread: accepts what has come already, whatever the state of its frontend,
 * within the limits of connections.  For the last time before the socket is closed: what
 * waits there would be reset. */
void acceptor_drain(struct acceptor *acceptor);
/* On the loop's thread: stops watching (pause, soft stop). */
void acceptor_stop(struct acceptor *acceptor);
/* On the loop's thread, or when that has ended but before loop_destroy(): the memory
 * goes with the loop's last message.  Not from on_accept.  NULL is allowed. */
void acceptor_destroy(struct acceptor *acceptor);

/* Lowers the gauges and wakes acceptors that a full limit had put to sleep, on
 * whatever worker they are; no polling.  Any thread. */
void acceptor_release(struct accept_limits *limits, struct listener *listener);
/* After a limit was raised or a frontend enabled at run time.  Any thread. */
void acceptor_wake_all(struct accept_limits *limits);
