/* Looks at the process once a second, so that reports can show rates, maxima and
 * what only workers may read.  Control thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "admin/stat_object.h"
#include "worker/instance.h"

/* What a worker told last. */
struct worker_facts {
	uint64_t held_bytes;
	uint32_t pipes_used, pipes_made;
	uint32_t sessions, sessions_refused; /* in the pool; asked for in vain */
};

struct sampler {
	struct loop_timer timer;
	struct instance *instance;
	struct stat_objects *objects;
	struct sample_job **jobs; /* [workers_count]; NULL: none was possible */
	struct worker_facts *facts; /* [workers_count] */
	uint64_t cpu_us, wall_us, bytes_out;
	uint64_t bytes_out_rate; /* of the last second */
	unsigned idle_percent;
	struct loop_activity *loops; /* [workers_count] as they were then */
	uint64_t loop_lag_us; /* of the last second, in the busiest worker */
	unsigned loop_busy_percent;
};

int sampler_start(struct sampler *sampler, struct instance *instance, struct stat_objects *objects) MUST_USE;
void sampler_stop(struct sampler *sampler);

/* Sum of what the workers told. */
void sampler_facts(const struct sampler *sampler, struct worker_facts *ret_sum);
