/* Time.  Monotonic for deadlines and durations, wall for logs. */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ms(void);
uint64_t clock_wall_us(void);
