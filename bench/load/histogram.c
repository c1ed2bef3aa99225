/* Log-linear histogram; see histogram.h. */
#include "histogram.h"

#include <string.h>

enum { STEPS = 1 << HISTOGRAM_STEP_BITS };

static unsigned cell_of(uint64_t value)
{
	if (value < STEPS)
		return (unsigned)value;
	unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
	return ((shift + 1) << HISTOGRAM_STEP_BITS) + ((unsigned)(value >> shift) & (STEPS - 1));
}

/* The middle of a cell. */
static uint64_t value_of(unsigned cell)
{
	unsigned row = cell >> HISTOGRAM_STEP_BITS;
	uint64_t step = cell & (STEPS - 1);
	if (row == 0)
		return step;
	unsigned shift = row - 1;
	return ((STEPS + step) << shift) + (((uint64_t)1 << shift) >> 1);
}

void histogram_reset(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->cells[cell_of(value)]++;
	if (histogram->count == 0 || value < histogram->lowest)
		histogram->lowest = value;
	if (value > histogram->highest)
		histogram->highest = value;
	histogram->count++;
	histogram->sum += value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *source)
{
	if (source->count == 0)
		return;
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++)
		histogram->cells[cell] += source->cells[cell];
	if (histogram->count == 0 || source->lowest < histogram->lowest)
		histogram->lowest = source->lowest;
	if (source->highest > histogram->highest)
		histogram->highest = source->highest;
	histogram->count += source->count;
	histogram->sum += source->sum;
}

static uint64_t clamp(const struct histogram *histogram, uint64_t value)
{
	if (value < histogram->lowest)
		return histogram->lowest;
	return value > histogram->highest ? histogram->highest : value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	double rank = share * (double)histogram->count;
	uint64_t wanted = (uint64_t)rank;
	uint64_t seen = 0;
	if ((double)wanted < rank)
		wanted++;
	if (wanted == 0)
		return histogram->lowest;
	if (wanted >= histogram->count)
		return histogram->highest;
	for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
		seen += histogram->cells[cell];
		if (seen >= wanted)
			return clamp(histogram, value_of(cell));
	}
	return histogram->highest;
}

double histogram_mean(const struct histogram *histogram)
{
	return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
