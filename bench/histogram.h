/* Log-linear histogram of nanoseconds: 128 steps an octave, error below 1 %. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 7, HISTOGRAM_CELLS = 64 << HISTOGRAM_STEP_BITS };

struct histogram {
	uint64_t cells[HISTOGRAM_CELLS];
	uint64_t count, highest;
};

static inline unsigned histogram_cell(uint64_t value)
{
	if (value < (1u << HISTOGRAM_STEP_BITS))
		return (unsigned)value;
	unsigned octave = 63u - (unsigned)__builtin_clzll(value);
	unsigned shift = octave - HISTOGRAM_STEP_BITS;
	unsigned step = (unsigned)(value >> shift) & ((1u << HISTOGRAM_STEP_BITS) - 1);
	return ((shift + 1) << HISTOGRAM_STEP_BITS) + step;
}

/* The middle of a cell. */
static inline uint64_t histogram_value(unsigned cell)
{
	unsigned shift = cell >> HISTOGRAM_STEP_BITS;
	uint64_t step = cell & ((1u << HISTOGRAM_STEP_BITS) - 1);
	if (shift == 0)
		return step;
	shift--;
	return ((((uint64_t)1 << HISTOGRAM_STEP_BITS) + step) << shift) + ((uint64_t)1 << shift) / 2;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->cells[histogram_cell(value)]++;
	histogram->count++;
	if (value > histogram->highest)
		histogram->highest = value;
}

/* share in 0..1; 0 when nothing was recorded. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)histogram->count);
	uint64_t seen = 0;
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
		seen += histogram->cells[cell];
		if (seen > wanted)
			return histogram_value(cell);
	}
	return histogram->highest;
}
