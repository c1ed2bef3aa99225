/* Operations of io_uring on the ring of a loop that has one, for whoever lets the
 * kernel read and write instead of asking it for readiness.  They go out and come
 * back with the loop's own wait, so that they cost no system call of their own.
 *
 *     entry = loop_ring_entry(loop);
 *     io_uring_prep_recv(entry, ...);
 *     loop_ring_begin(loop, entry, &operation);
 *
 * All on the loop's thread, once it runs. */
#pragma once

#include "loop/loop.h"

struct io_uring;
struct io_uring_sqe;

/* Embedded in what it is about, which must not be freed while is_in_flight. */
struct ring_operation {
	uint32_t magic;
	uint32_t submission; /* the loop's count of those when it began */
	struct io_uring_sqe *entry; /* the kernel's from the next submission on */
	bool is_in_flight, is_cancelled, is_revoked;
	/* A completion: its result and its flags.  Without IORING_CQE_F_MORE it is the last
	 * one, is_in_flight is false by now, and the operation may begin anew. */
	void (*on_complete)(struct ring_operation *operation, int result, unsigned flags);
};

bool loop_has_ring(const struct loop *loop);
/* For registering buffers; NULL without one. */
struct io_uring *loop_ring(struct loop *loop);
/* An entry to fill in; NULL when the kernel takes no more (memory). */
struct io_uring_sqe *loop_ring_entry(struct loop *loop) MUST_USE;
void loop_ring_begin(struct loop *loop, struct io_uring_sqe *entry, struct ring_operation *operation);
/* Asks for its end, which comes as its last completion (-ECANCELED, unless something
 * else came first).  What was not submitted yet is not even tried.  Afterwards the
 * caller may close the fd: another file that gets its number is not touched. */
void loop_ring_cancel(struct loop *loop, struct ring_operation *operation);
/* Waits for the last completions of all cancelled operations and delivers them.
 * Outside of passes. */
void loop_ring_settle(struct loop *loop);
