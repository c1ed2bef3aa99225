/* The clocks of the machine; the simulation links another file in this one's place. */
#include "base/clock.h"

#include <time.h>

enum { US_PER_SECOND = 1000000, NS_PER_US = 1000, US_PER_MS = 1000 };

static uint64_t clock_read_us(clockid_t id)
{
	struct timespec now;

	/* Neither clock can fail on Linux. */
	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / NS_PER_US;
}

uint64_t clock_monotonic_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void)
{
	return clock_read_us(CLOCK_MONOTONIC) / US_PER_MS;
}

uint64_t clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}
