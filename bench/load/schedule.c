/* When messages are due in open loop; see schedule.h. */
#include "schedule.h"

#include "base/check.h"
#include "base/hash.h"

#include <math.h>

/* Exponential with mean 1. */
static double random_distance(struct schedule *schedule)
{
	uint64_t bits = hash_mix(schedule->random++) >> 11;
	return -log(((double)bits + 0.5) / 9007199254740992.0);
}

void schedule_init(
	struct schedule *schedule, enum arrival arrival, double per_s, uint64_t start_ns, uint64_t seed)
{
	CHECK(per_s > 0);
	*schedule = (struct schedule){.arrival = arrival,
		.start_ns = start_ns,
		.interval_ns = 1e9 / per_s,
		.random = hash_mix(seed)};
	if (arrival == ARRIVAL_POISSON)
		schedule->next_ns = schedule->interval_ns * random_distance(schedule);
}

uint64_t schedule_next_ns(const struct schedule *schedule)
{
	return schedule->start_ns + (uint64_t)schedule->next_ns;
}

bool schedule_take(struct schedule *schedule, uint64_t now_ns, uint64_t *ret_due_ns)
{
	uint64_t due = schedule_next_ns(schedule);
	if (due > now_ns)
		return false;
	*ret_due_ns = due;
	schedule->taken++;
	if (schedule->arrival == ARRIVAL_POISSON)
		schedule->next_ns += schedule->interval_ns * random_distance(schedule);
	else
		schedule->next_ns = (double)schedule->taken * schedule->interval_ns;
	return true;
}
