/* A timer of the control loop asks each worker to end its share of what it has left. */
#include "worker/spread.h"

#include <errno.h>
#include <stdlib.h>

enum { STEP_MS = 200 };

struct spread {
	struct instance *instance;
	struct loop_timer timer;
	uint64_t end_ms;
	unsigned pending; /* jobs under way: a step waits for those of the one before */
	unsigned steps_left; /* for the jobs */
	struct spread_job {
		struct worker_job job;
		struct spread *spread;
	} jobs[];
};

/* On the worker's thread: of n sessions and k steps, n / k rounded up. */
static void job_run(struct worker_job *job)
{
	const struct spread *spread = container_of(job, struct spread_job, job)->spread;
	struct session_table *table = &job->worker->sessions;
	unsigned steps = spread->steps_left;
	unsigned count = (table->pool.used + steps - 1) / steps;
	struct session *session = session_table_next(table, 0);
	for (unsigned i = 0; session != NULL && i < count; i++) {
		struct session *next = session_table_after(table, session);
		session_kill(session, CLOSE_SHUTDOWN);
		session = next;
	}
}

static void job_done(struct worker_job *job)
{
	container_of(job, struct spread_job, job)->spread->pending--;
}

static void on_timer(struct loop_timer *timer)
{
	struct spread *spread = container_of(timer, struct spread, timer);
	struct instance *instance = spread->instance;
	uint64_t now_ms = loop_now_ms(instance->control_loop);
	uint64_t left_ms = spread->end_ms > now_ms ? spread->end_ms - now_ms : 0;
	loop_timer_set(instance->control_loop, timer, now_ms + STEP_MS);
	if (spread->pending > 0)
		return;
	spread->steps_left = (unsigned)(left_ms / STEP_MS) + 1;
	spread->pending = instance->workers_count;
	for (unsigned i = 0; i < instance->workers_count; i++)
		worker_submit(&instance->workers[i], &spread->jobs[i].job);
}

int spread_create(struct instance *instance, uint64_t start_ms, uint64_t end_ms, struct spread **ret_spread)
{
	struct spread *spread =
		calloc(1, sizeof(*spread) + instance->workers_count * sizeof(spread->jobs[0]));
	if (spread == NULL)
		return -ENOMEM;
	spread->instance = instance;
	spread->end_ms = end_ms;
	for (unsigned i = 0; i < instance->workers_count; i++) {
		spread->jobs[i].spread = spread;
		spread->jobs[i].job.run = job_run;
		spread->jobs[i].job.done = job_done;
	}
	loop_timer_init(&spread->timer, on_timer);
	loop_timer_set(instance->control_loop, &spread->timer, start_ms);
	*ret_spread = spread;
	return 0;
}

/* No job is under way when the threads have ended and what they sent has been run. */
void spread_destroy(struct spread *spread)
{
	if (spread == NULL)
		return;
	loop_timer_cancel(spread->instance->control_loop, &spread->timer);
	loop_run_once(spread->instance->control_loop, 0);
	free(spread);
}
