/* The once-a-second look at everything. */
#include "admin/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "relay/engine.h"

enum { SAMPLE_MS = 1000 };

/* Owned by the sampler between rounds and by the worker during one.  When the
 * sampler stops in a round its end frees the job. */
struct sample_job {
	struct worker_job job;
	struct sampler *sampler; /* NULL: stopped; control thread's */
	unsigned worker;
	bool is_under_way;
	struct worker_facts facts;
};

static void sample_run(struct worker_job *job)
{
	struct sample_job *sample = container_of(job, struct sample_job, job);
	const struct session_table *table = &job->worker->sessions;
	sample->facts = (struct worker_facts){
		.held_bytes = table->relay_worker.held_bytes,
		.pipes_used = table->relay_worker.pipes_used,
		.pipes_made = table->relay_worker.pipes_made,
		.sessions = table->pool.used,
		.sessions_refused = (uint32_t)table->pool.refusals,
	};
}

static void sample_done(struct worker_job *job)
{
	struct sample_job *sample = container_of(job, struct sample_job, job);
	if (!sample->sampler) {
		free(sample);
		return;
	}
	sample->is_under_way = false;
	sample->sampler->facts[sample->worker] = sample->facts;
}

static uint64_t process_cpu_us(void)
{
	struct timespec spent = {0};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (uint64_t)spent.tv_sec * 1000000 + (uint64_t)spent.tv_nsec / 1000;
}

static uint64_t relayed_bytes(const struct instance *instance)
{
	uint64_t bytes = 0;
	for (unsigned worker = 0; worker < instance->workers_count; worker++) {
		const struct relay_worker *relays = &instance->workers[worker].sessions.relay_worker;
		for (unsigned engine = 0; relay_engines[engine]; engine++)
			bytes += counter_read(&relays->engines[engine].bytes);
	}
	return bytes;
}

/* What the busiest worker's loop was like since the last look. */
static void loops_sample(struct sampler *sampler, uint64_t span_us)
{
	uint64_t lag_us = 0, busy_us = 0;
	for (unsigned i = 0; i < sampler->instance->workers_count; i++) {
		struct loop_activity now, *before = &sampler->loops[i];
		loop_activity_read(sampler->instance->workers[i].loop, &now);
		if (now.lag_us2 - before->lag_us2 > lag_us)
			lag_us = now.lag_us2 - before->lag_us2;
		if (now.busy_us - before->busy_us > busy_us)
			busy_us = now.busy_us - before->busy_us;
		*before = now;
	}
	sampler->loop_lag_us = lag_us / span_us;
	sampler->loop_busy_percent = (unsigned)(busy_us * 100 / span_us);
}

/* The share of the last second in which the workers' threads used no CPU. */
static void process_sample(struct sampler *sampler)
{
	uint64_t cpu_us = process_cpu_us();
	uint64_t now_us = clock_monotonic_us();
	uint64_t bytes_out = relayed_bytes(sampler->instance);
	uint64_t threads = sampler->instance->workers_count > 0 ? sampler->instance->workers_count : 1;
	uint64_t span_us = now_us - sampler->wall_us;
	if (span_us > 0) {
		uint64_t busy = (cpu_us - sampler->cpu_us) * 100 / (span_us * threads);
		sampler->idle_percent = busy < 100 ? 100 - (unsigned)busy : 0;
		sampler->bytes_out_rate = (bytes_out - sampler->bytes_out) * 1000000 / span_us;
		loops_sample(sampler, span_us);
	}
	sampler->cpu_us = cpu_us;
	sampler->wall_us = now_us;
	sampler->bytes_out = bytes_out;
}

static void limits_sample(struct accept_limits *limits, uint64_t now_ms)
{
	uint32_t rate = rate_meter_read(&limits->rate, now_ms);
	if (rate > stat_gauge(&limits->rate_max))
		__atomic_store_n(&limits->rate_max, rate, __ATOMIC_RELAXED);
}

static void workers_sample(struct sampler *sampler)
{
	for (unsigned i = 0; i < sampler->instance->workers_count; i++) {
		struct worker *worker = &sampler->instance->workers[i];
		struct sample_job *sample = sampler->jobs[i];
		if (!sample || sample->is_under_way || !worker->is_running)
			continue;
		sample->is_under_way = true;
		worker_submit(worker, &sample->job);
	}
}

static void on_timer(struct loop_timer *timer)
{
	struct sampler *sampler = container_of(timer, struct sampler, timer);
	struct loop *loop = sampler->instance->control_loop;
	uint64_t now_ms = loop_now_ms(loop);
	uint64_t wall_us = clock_wall_us();
	for (size_t i = 0; i < sampler->objects->count; i++)
		stat_object_sample(&sampler->objects->rows[i], now_ms, wall_us);
	limits_sample(&sampler->instance->limits, now_ms);
	process_sample(sampler);
	workers_sample(sampler);
	loop_timer_set(loop, timer, now_ms + SAMPLE_MS);
}

static void arrays_free(struct sampler *sampler)
{
	free(sampler->jobs);
	free(sampler->facts);
	free(sampler->loops);
	sampler->jobs = NULL;
	sampler->facts = NULL;
	sampler->loops = NULL;
}

int sampler_start(struct sampler *sampler, struct instance *instance, struct stat_objects *objects)
{
	unsigned workers = instance->workers_count;
	*sampler = (struct sampler){.instance = instance, .objects = objects, .idle_percent = 100};
	sampler->jobs = calloc(workers + 1, sizeof(*sampler->jobs));
	sampler->facts = calloc(workers + 1, sizeof(*sampler->facts));
	sampler->loops = calloc(workers + 1, sizeof(*sampler->loops));
	if (!sampler->jobs || !sampler->facts || !sampler->loops) {
		arrays_free(sampler);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < workers; i++) {
		struct sample_job *sample = calloc(1, sizeof(*sample));
		if (!sample)
			continue;
		sample->job.run = sample_run;
		sample->job.done = sample_done;
		sample->sampler = sampler;
		sample->worker = i;
		sampler->jobs[i] = sample;
	}
	process_sample(sampler);
	loop_timer_init(&sampler->timer, on_timer);
	loop_timer_set(
		instance->control_loop, &sampler->timer, loop_now_ms(instance->control_loop) + SAMPLE_MS);
	return 0;
}

void sampler_stop(struct sampler *sampler)
{
	if (!sampler->jobs)
		return;
	loop_timer_cancel(sampler->instance->control_loop, &sampler->timer);
	for (unsigned i = 0; i < sampler->instance->workers_count; i++) {
		struct sample_job *sample = sampler->jobs[i];
		if (sample && sample->is_under_way)
			sample->sampler = NULL;
		else
			free(sample);
	}
	arrays_free(sampler);
	*sampler = (struct sampler){0};
}

void sampler_facts(const struct sampler *sampler, struct worker_facts *ret_sum)
{
	*ret_sum = (struct worker_facts){0};
	for (unsigned i = 0; i < sampler->instance->workers_count; i++) {
		const struct worker_facts *facts = &sampler->facts[i];
		ret_sum->held_bytes += facts->held_bytes;
		ret_sum->pipes_used += facts->pipes_used;
		ret_sum->pipes_made += facts->pipes_made;
		ret_sum->sessions += facts->sessions;
		ret_sum->sessions_refused += facts->sessions_refused;
	}
}
