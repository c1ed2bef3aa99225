/* What a loop's back ends and loop.c share.  A back end asks the kernel what is
 * ready; everything else is done once, in loop.c. */
#pragma once

#include "loop/loop.h"
#include "loop/timer_wheel.h"

#define WAIT_FOREVER UINT64_MAX

struct loop_backend {
	const char *name; /* as written in the configuration */

	/* NULL if it can serve here, else why not, in words for the operator (static). */
	const char *(*unavailable)(void);
	/* Sets loop->state, also when it fails half-way.  Return 0 or -errno. */
	int (*open)(struct loop *loop);
	void (*close)(struct loop *loop);

	/* loop.h's contract of the calls of the same names.  The watch carries its fd and
	 * callback already. */
	int (*add)(struct loop *loop, struct loop_watch *watch, unsigned interest);
	int (*change)(struct loop *loop, struct loop_watch *watch, unsigned interest);
	void (*remove)(struct loop *loop, struct loop_watch *watch, bool will_close_fd);

	/* Waits until something is ready, at most wait_us (0: not at all, WAIT_FOREVER). */
	void (*wait)(struct loop *loop, uint64_t wait_us);
	/* Delivers what wait() found, but for watches that callbacks remove or change
	 * meanwhile.  Returns how much that was. */
	unsigned (*deliver)(struct loop *loop);

	/* Around loop_run(), on the thread that runs. */
	void (*enter)(struct loop *loop);
	void (*leave)(struct loop *loop);
};

extern const struct loop_backend loop_backend_epoll, loop_backend_uring;

struct loop {
	const struct loop_backend *backend;
	void *state; /* the back end's */
	int wake_fd;
	bool is_stopped, is_in_pass;
	uint64_t now_ms;
	struct list tasks; /* for the end of this pass or the next */
	struct loop_message *posted; /* atomic; newest first */
	struct loop_watch wake_watch;
	struct loop_activity activity; /* written by the loop's thread, read by any */
	struct timer_wheel wheel;
	struct loop_hook *hook;
};

enum { WATCH_MAGIC = 0x77617463 };

static inline bool watch_is_ours(const struct loop_watch *watch)
{
	return watch->magic == WATCH_MAGIC && watch->fd >= 0;
}

/* Whether the interest is level, not edge: without any there is nothing to repeat. */
static inline bool interest_is_level(unsigned interest)
{
	return (interest & LOOP_LEVEL) && (interest & (LOOP_READABLE | LOOP_WRITABLE));
}
