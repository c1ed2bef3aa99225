/* One event loop per thread: readiness, timers, deferred work and messages from
 * other threads.  Nothing above this header names epoll or io_uring.
 *
 * One pass of loop_run(): poll; deliver readiness; expired timers; messages;
 * tasks scheduled before this pass's end.  loop_now_ms() is read once a pass.
 *
 * Lifetime rule: a watch, timer or task may be removed at any time, also from
 * inside a callback; the memory around a *watch* must then stay valid until the
 * pass ends (events of the same batch may still name it), which is what
 * loop_task_schedule() from the closing code is for: tasks run after the batch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/status.h"

struct loop;

enum loop_event {
	LOOP_READABLE = 1,
	LOOP_WRITABLE = 2,
	LOOP_PEER_CLOSED = 4, /* the peer will send no more (FIN seen) */
	LOOP_FAILED = 8, /* an error is pending on the fd (a hang-up alone is PEER_CLOSED) */
	LOOP_URGENT = 32, /* urgent (out-of-band) data is in the stream; always reported */
	LOOP_LEVEL = 16, /* interest only: report again while true (else edges) */
	LOOP_QUIET =
		64, /* interest only, in edge mode: neither URGENT, nor PEER_CLOSED but for a full hang-up */
	LOOP_ENDS = 128, /* interest only, in edge mode: no byte that comes in wakes, PEER_CLOSED does */
};

struct loop_watch {
	int fd; /* -1 while not watched */
	uint32_t magic;
	uint32_t slot; /* the back end's */
	void (*on_ready)(struct loop_watch *watch, unsigned events);
};

struct loop_timer {
	struct list node;
	uint64_t expires_ms;
	void (*on_expiry)(struct loop_timer *timer);
};

struct loop_task {
	struct list node;
	void (*run)(struct loop_task *task);
};

/* Sent by any thread to a loop; owned by the receiver from then on. */
struct loop_message {
	struct loop_message *next;
	void (*run)(struct loop_message *message);
};

/* NULL on failure with errno set.  The thread that first runs a loop is the one it
 * belongs to: another may make it, add the first watches and, once the owner has
 * left loop_run() for good, let tasks run and destroy it. */
struct loop *loop_create(void);
/* With a back end by name; loop_create() takes the first one. */
struct loop *loop_create_named(const char *backend);
const char *loop_backend_name(const struct loop *loop);
/* All there are, NULL-terminated; the first one is always available. */
const char *const *loop_backend_names(void);
/* NULL if it can serve here, found by trying; else why not, in words for the operator. */
const char *loop_backend_unavailable(const char *name);
/* Pending messages are run first so that nobody's memory is lost.  No other thread
 * may still be inside loop_post() for it.  NULL is allowed. */
void loop_destroy(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
/* One pass; waits at most wait_ms (-1: until something happens).  For tests and loop_run. */
void loop_run_once(struct loop *loop, int wait_ms);
/* From the loop's own thread. */
void loop_stop(struct loop *loop);
uint64_t loop_now_ms(const struct loop *loop);

/* Starts watching.  interest: LOOP_READABLE|LOOP_WRITABLE [|LOOP_LEVEL];
 * PEER_CLOSED and FAILED are always reported, but for QUIET.  Edge mode: an event is news,
 * the owner remembers what it has not used up.  In level mode PEER_CLOSED comes
 * with READABLE interest only (a writer would spin on it), and no interest at all
 * is edge mode.  A full hang-up reports PEER_CLOSED, READABLE and WRITABLE, an
 * error FAILED, READABLE and WRITABLE: the owner's next call then learns which.
 * Returns 0 or -errno (ENOMEM, ENOSPC, EPERM for plain files). */
int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, unsigned interest,
	void (*on_ready)(struct loop_watch *, unsigned)) MUST_USE;
/* Changes the interest of a live watch, 0 parks it.  What is ready already is
 * reported again. */
int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest) MUST_USE;
/* Ends it; no callback follows.  The fd stays open and is the caller's.  When
 * the caller closes the fd right afterwards it may say so: a system call is saved,
 * and a socket then ends, for its peer, when the loop next waits at the latest.  Not
 * for an fd that was duplicated or is open in another process too: that would keep
 * the registration.  Harmless for a watch that is not live. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd);
static inline bool loop_watch_is_live(const struct loop_watch *watch)
{
	return watch->fd >= 0;
}

/* Before first use.  A zeroed timer or task counts as initialised too. */
void loop_timer_init(struct loop_timer *timer, void (*on_expiry)(struct loop_timer *));
/* Arms or re-arms; O(1).  Fires once, at or up to 1 % or 8 ms (the larger) after
 * expires_ms; timer->expires_ms then holds the moment it was put off to. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expires_ms);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *));
/* Runs it once at the end of this pass; scheduled by a running task: at the end
 * of the next pass, which then does not wait.  Harmless when already scheduled. */
void loop_task_schedule(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/* Runs at the end of every pass, and no pass waits longer than wait_us (1 to 999),
 * as long as it is set: for work that must follow soon and that nothing announces.
 * One a loop; NULL ends it. */
struct loop_hook {
	void (*run)(struct loop_hook *hook);
	unsigned wait_us;
};
void loop_hook_set(struct loop *loop, struct loop_hook *hook);

/* Any thread: hands over a message (lock-free) and wakes the loop. */
void loop_post(struct loop *loop, struct loop_message *message);

/* What it has done, for `show activity`; readable from any thread. */
struct loop_activity {
	uint64_t passes, waits, events, timers, tasks, messages;
	/* Time in passes, and half the sum of the squares of those times: divided by a
	 * stretch of time, that is the mean wait of what became ready within it, for who
	 * comes in a pass of t waits t / 2, and t of all come in such a pass. */
	uint64_t busy_us, lag_us2;
};
void loop_activity_read(const struct loop *loop, struct loop_activity *ret_activity);
