/* A worker: one thread, one loop, its sessions and acceptors. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "net/acceptor.h"
#include "session/session.h"

enum { WORKERS_MAX = 256 };

struct instance;

struct worker {
	unsigned index;
	pthread_t thread;
	bool is_running;
	struct instance *instance;
	struct loop *loop;
	struct session_table sessions;
	struct acceptor **acceptors;
	struct listener **listeners; /* of the acceptor with the same index */
	unsigned acceptors_count;
	struct loop_message stop_message;
};

/* Makes loop, session table and one acceptor per listener of the instance.
 * Returns 0 or -errno; worker_release() cleans up after either. */
int worker_init(struct worker *worker, struct instance *instance, unsigned index) MUST_USE;
/* Starts the thread, which starts to accept. */
int worker_start(struct worker *worker) MUST_USE;
/* Asks the thread to end every session and leave; then joins it. */
void worker_stop(struct worker *worker);
void worker_release(struct worker *worker);

/* Runs `run` on the worker's thread with the job, then `done` on the control
 * loop.  The job is the caller's memory until done. */
struct worker_job {
	struct loop_message message;
	struct worker *worker;
	void (*run)(struct worker_job *job);
	void (*done)(struct worker_job *job);
	bool again; /* set by run: call run once more before done, in a later pass */
	struct loop_task task;
};
void worker_submit(struct worker *worker, struct worker_job *job);

/* On the worker's thread: its acceptors of this frontend (NULL: of all) follow the
 * frontend's state; with is_accepting false they stop whatever it is. */
void worker_accept_set(struct worker *worker, const struct frontend *frontend, bool is_accepting);
