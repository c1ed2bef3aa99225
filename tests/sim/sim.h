/* What all parts of the simulation share: the seed's random numbers, virtual
 * time, the trace, and the end of a run that went wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { SIM_US_PER_MS = 1000 };
static const uint64_t SIM_NEVER = UINT64_MAX;
/* What the proxy's monotonic clock shows at the beginning. */
static const uint64_t SIM_CLOCK_START_US = UINT64_C(1000) * 1000 * SIM_US_PER_MS;

/* One run's virtual clock, in microseconds; only moves forward. */
extern uint64_t sim_now_us;

/* Everything random comes from here, so that a seed says all. */
void sim_random_start(uint64_t seed);
uint64_t sim_random(void);
/* 0..below-1; 0 for below 0. */
uint32_t sim_below(uint32_t below);
bool sim_chance(uint32_t per_mille);
/* low..high, both included. */
uint32_t sim_between(uint32_t low, uint32_t high);

/* Remembers the last events; prints them at once with --trace.  Costs nothing
 * unless tracing is on. */
#define SIM_TRACE(...)                          \
	do {                                    \
		if (sim_is_tracing)             \
			sim_trace(__VA_ARGS__); \
	} while (0)
extern bool sim_is_tracing, sim_is_loud;
void sim_trace(const char *format, ...) PRINTF_LIKE(1, 2);
void sim_trace_start(void);

/* Reports what is wrong and ends the process; the seed is run again with its trace
 * when it was not traced yet. */
_Noreturn void sim_fail(const char *format, ...) PRINTF_LIKE(1, 2);
#define SIM_CHECK(expr, ...)                   \
	do {                                   \
		if (!(expr))                   \
			sim_fail(__VA_ARGS__); \
	} while (0)

/* How to repeat the present run, for the message. */
void sim_command_set(uint64_t seed, char *const overrides[], unsigned overrides_count);
/* Aborts and hangs of the product are reported as failures of the seed. */
void sim_signals_catch(void);
