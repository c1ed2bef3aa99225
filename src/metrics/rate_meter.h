/* How often something happens, as a sliding estimate per second. */
#pragma once

#include <stdint.h>

/* Events of the last second and before, for `rate-limit sessions` and show stat:
 * any thread may count; the value is a sliding estimate of events per second. */
struct rate_meter {
	uint64_t window_start_ms;
	uint32_t current, previous;
};
void rate_meter_count(struct rate_meter *meter, uint64_t now_ms);
uint32_t rate_meter_read(const struct rate_meter *meter, uint64_t now_ms);
/* Counts one event and raises *highest to the rate that it makes. */
void rate_meter_count_max(struct rate_meter *meter, uint32_t *highest, uint64_t now_ms);
