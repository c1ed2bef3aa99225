/* When messages are due in open loop: decided before the run by rate alone, never
 * by how the answers come.  One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum arrival {
	ARRIVAL_EVEN, /* equal distances */
	ARRIVAL_POISSON, /* independent ones, exponential distances */
};

struct schedule {
	enum arrival arrival;
	uint64_t start_ns;
	double interval_ns, next_ns; /* next_ns counts from start_ns */
	uint64_t taken, random;
};

/* per_s must be above 0.  The first is due at start_ns (even) or one random
 * distance later. */
void schedule_init(
	struct schedule *schedule, enum arrival arrival, double per_s, uint64_t start_ns, uint64_t seed);
/* When something is due by now: true, its time in *ret_due_ns, and on to the next. */
bool schedule_take(struct schedule *schedule, uint64_t now_ns, uint64_t *ret_due_ns);
uint64_t schedule_next_ns(const struct schedule *schedule);
