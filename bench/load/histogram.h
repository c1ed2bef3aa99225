/* Log-linear histogram of durations: 128 steps an octave, so a reading is within
 * 1 % of what was recorded; fixed memory, never allocates. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 7, HISTOGRAM_CELLS = (65 - HISTOGRAM_STEP_BITS) << HISTOGRAM_STEP_BITS };

/* All zero is empty. */
struct histogram {
	uint64_t cells[HISTOGRAM_CELLS];
	uint64_t count, sum, lowest, highest;
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* Adds all of source's values to histogram. */
void histogram_merge(struct histogram *histogram, const struct histogram *source);
/* The value that `share` (0 to 1) of the recorded ones do not exceed, by the
 * nearest rank; between lowest and highest; 0 when nothing was recorded. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
/* Exact, not by cells; 0 when nothing was recorded. */
double histogram_mean(const struct histogram *histogram);
