/* A thread of the load: its event loop, the clients it drives, and the server's
 * connections that it carries.  And the run that all threads belong to. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/pool.h"

#include "end.h"
#include "flow.h"
#include "histogram.h"
#include "options.h"
#include "schedule.h"
#include "tally.h"

struct client;
struct worker;

enum phase { PHASE_CONNECTING, PHASE_WARMING, PHASE_MEASURING, PHASE_ENDING };

/* What a kind of load does; every member may be called on any worker, only in that
 * worker's thread.  Those that may be NULL say so. */
struct workload {
	const char *name;
	/* Connected; the hello is not sent yet. */
	void (*on_up)(struct worker *worker, struct client *client);
	/* Bytes went or came. */
	void (*on_moved)(struct worker *worker, struct client *client);
	/* The connection is over, well or not; NULL. */
	void (*on_closed)(struct worker *worker, struct client *client);
	/* All threads are up; NULL. */
	void (*on_start)(struct worker *worker);
	/* Once a pass of the loop while the load runs; NULL. */
	void (*on_pass)(struct worker *worker);
	/* Measuring ended: once, before on_stop; NULL. */
	void (*on_ending)(struct worker *worker);
	/* Measuring ended: for each open client. */
	void (*on_stop)(struct worker *worker, struct client *client);
	/* When on_pass wants to run; NULL: no wish. */
	uint64_t (*next_ns)(struct worker *worker);
	/* Whether bytes are owed to the worker; NULL: always. */
	bool (*is_waiting)(struct worker *worker);
};

struct run {
	const struct load_options *options;
	const struct workload *workload; /* NULL: only a server */
	struct worker *workers;
	int listener; /* -1: no server here */
	struct place serving; /* where it listens */
	int file; /* the periodic pattern */
	int notice; /* eventfd: written when all are up, and when all are done */
	_Atomic unsigned up_count, done_count;
	_Atomic uint64_t start_ns; /* 0 until all are up */
	atomic_bool is_stopping;
	_Atomic(const char *) fatal; /* why the run cannot go on, a sentence */
};

/* The clock and the counts where measuring began or ended. */
struct reading {
	uint64_t at_ns;
	struct tally tally;
	struct rusage usage;
};

struct worker {
	struct run *run;
	unsigned index;
	pthread_t thread;
	int poller;
	struct list ready;
	const struct end *stepping; /* it looks after itself */
	struct end listener;
	struct flow_scratch scratch;
	struct pool peers;
	struct list peers_open;
	uint64_t next_stall_ns;
	bool is_wait_coarse; /* epoll_pwait2(2) is refused here: whole milliseconds */

	struct client *clients;
	unsigned clients_len, opened, open_count, connecting, ready_count;
	struct list pending; /* clients that churn is to open again */
	enum phase phase;
	bool is_started; /* on_start was called, or would have been */
	bool is_up_told, is_done_told;
	uint64_t now_ns; /* of this pass */
	uint64_t ending_ns; /* when PHASE_ENDING began */
	uint64_t progress_ns; /* when a client's bytes moved last */

	/* Of messages. */
	uint64_t *times; /* ring_len for each client: when its messages were due */
	uint64_t ring_len; /* a power of two */
	uint64_t outstanding;
	struct schedule schedule;
	unsigned next_client;

	struct tally tally;
	struct reading first, last;
	struct histogram latency;
	int connect_errno; /* of the first connection that did not come about; 0: none */
	_Atomic uint64_t shown_bytes, shown_messages; /* for the progress line */
	struct {
		bool is_known, is_up;
		unsigned client;
		uint64_t offset;
	} first_bad;
};

/* The clients' share of each thread is made, nothing is opened.  0 or a negative errno. */
int load_worker_init(struct worker *worker, struct run *run, unsigned index) MUST_USE;
/* Closes what is still open. */
void load_worker_release(struct worker *worker);
/* The thread: returns when every thread of the run is done. */
void *worker_main(void *worker);

/* For those in the loop. */
int worker_watch(struct worker *worker, struct end *end, uint32_t events) MUST_USE;
void worker_close(struct worker *worker, struct end *end);
/* The end will be stepped in this pass or the next. */
void worker_wake(struct worker *worker, struct end *end);
/* A client is as its workload wants it before the start, or will never be. */
void worker_client_ready(struct worker *worker, struct client *client);
void worker_stop_all(struct worker *worker, const char *fatal);
/* Now, or the end of the measured time when that is past: nothing is due after it. */
uint64_t worker_due_until_ns(const struct worker *worker);
/* Whether a moment lies in the measured time. */
bool worker_is_measured(const struct worker *worker, uint64_t at_ns);
