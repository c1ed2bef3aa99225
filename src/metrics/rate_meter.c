/* Two windows of one second: the running one, and the one before it, of which as
 * much counts as a second ending now still covers.
 *
 * Any thread counts, so one of them has to turn the windows: it marks the start
 * with TURNING meanwhile, the others go on counting and never wait. */
#include "metrics/rate_meter.h"

#include "metrics/counters.h"

#include <stdbool.h>

enum { WINDOW_MS = 1000 };

static const uint64_t TURNING = (uint64_t)1 << 63;

/* Threads read their clocks apart; one may be a little behind the window. */
static uint64_t window_age(uint64_t start_ms, uint64_t now_ms)
{
	return now_ms > start_ms ? now_ms - start_ms : 0;
}

static void windows_turn(struct rate_meter *meter, uint64_t start_ms, uint64_t now_ms)
{
	uint64_t age = window_age(start_ms, now_ms);
	bool is_adjacent = age < 2 * WINDOW_MS;
	uint64_t next_ms = is_adjacent ? start_ms + WINDOW_MS : now_ms;
	uint32_t ended;

	if (!__atomic_compare_exchange_n(&meter->window_start_ms, &start_ms, start_ms | TURNING, false,
		    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return; /* another thread does it */
	ended = __atomic_exchange_n(&meter->current, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&meter->previous, is_adjacent ? ended : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&meter->window_start_ms, next_ms, __ATOMIC_RELEASE);
}

void rate_meter_count(struct rate_meter *meter, uint64_t now_ms)
{
	uint64_t start_ms = __atomic_load_n(&meter->window_start_ms, __ATOMIC_ACQUIRE);

	if (!(start_ms & TURNING) && window_age(start_ms, now_ms) >= WINDOW_MS)
		windows_turn(meter, start_ms, now_ms);
	__atomic_fetch_add(&meter->current, 1, __ATOMIC_RELAXED);
}

uint32_t rate_meter_read(const struct rate_meter *meter, uint64_t now_ms)
{
	uint64_t start_ms = __atomic_load_n(&meter->window_start_ms, __ATOMIC_ACQUIRE);
	uint32_t current = __atomic_load_n(&meter->current, __ATOMIC_RELAXED);
	uint32_t previous = __atomic_load_n(&meter->previous, __ATOMIC_RELAXED);
	uint64_t age;

	/* Half turned: the second that just ended is in one of the two. */
	if (start_ms & TURNING)
		return current > previous ? current : previous;

	age = window_age(start_ms, now_ms);
	if (age < WINDOW_MS)
		return current + (uint32_t)(previous * (WINDOW_MS - age) / WINDOW_MS);
	if (age < 2 * WINDOW_MS)
		return (uint32_t)(current * (2 * WINDOW_MS - age) / WINDOW_MS);
	return 0;
}

void rate_meter_count_max(struct rate_meter *meter, uint32_t *highest, uint64_t now_ms)
{
	rate_meter_count(meter, now_ms);
	gauge_max(highest, rate_meter_read(meter, now_ms));
}
