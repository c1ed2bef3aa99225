/* The burst client's pattern and figures: pure functions over bytes and latencies. */
#include "burst.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

enum { WORD_BYTES = 8, NS_PER_US = 1000 };

void burst_pattern_fill(char *buffer, size_t len, uint64_t position)
{
	size_t filled = 0;

	while (filled < len) {
		uint64_t word = hash_mix((position + filled) / WORD_BYTES + 1);
		size_t skip = (position + filled) % WORD_BYTES;
		size_t take = WORD_BYTES - skip;

		if (take > len - filled)
			take = len - filled;
		memcpy(buffer + filled, (const char *)&word + skip, take);
		filled += take;
	}
}

size_t burst_pattern_compare(const char *sent, const char *received, size_t len, size_t *ret_first)
{
	size_t different = 0;

	if (memcmp(sent, received, len) == 0)
		return 0;
	for (size_t i = len; i-- > 0;) {
		if (sent[i] == received[i])
			continue;
		*ret_first = i;
		different++;
	}
	return different;
}

static int compare_values(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

/* The smallest value that at least `percent` of all do not exceed. */
static double rank_us(const uint64_t *sorted, size_t count, unsigned percent)
{
	size_t rank = (count * percent + 99) / 100;

	CHECK(rank >= 1 && rank <= count);
	return (double)sorted[rank - 1] / NS_PER_US;
}

void burst_statistics_compute(uint64_t *latencies_ns, size_t count, struct burst_statistics *ret_statistics)
{
	double sum = 0, squares = 0;
	size_t lower, upper; /* around the middle; the same one for an odd count */

	*ret_statistics = (struct burst_statistics){.count = count};
	if (count == 0)
		return;
	lower = (count - 1) / 2;
	upper = count / 2;
	qsort(latencies_ns, count, sizeof(*latencies_ns), compare_values);
	for (size_t i = 0; i < count; i++)
		sum += (double)latencies_ns[i] / NS_PER_US;
	ret_statistics->average_us = sum / (double)count;
	for (size_t i = 0; i < count; i++) {
		double distance = (double)latencies_ns[i] / NS_PER_US - ret_statistics->average_us;

		squares += distance * distance;
	}
	ret_statistics->deviation_us = sqrt(squares / (double)count);
	ret_statistics->min_us = (double)latencies_ns[0] / NS_PER_US;
	ret_statistics->max_us = (double)latencies_ns[count - 1] / NS_PER_US;
	ret_statistics->median_us =
		((double)latencies_ns[lower] + (double)latencies_ns[upper]) / (2.0 * NS_PER_US);
	ret_statistics->p90_us = rank_us(latencies_ns, count, 90);
	ret_statistics->p99_us = rank_us(latencies_ns, count, 99);
}

/* Bins 2n and 2n+1 are the lower and the upper half of the octave from 2^n. */
static unsigned bin_of(uint64_t value)
{
	unsigned octave;

	if (value == 0)
		return 0;
	octave = 63u - (unsigned)__builtin_clzll(value);
	return 2 * octave + (octave > 0 ? (unsigned)(value >> (octave - 1)) & 1 : 0);
}

static double bin_start_us(unsigned bin)
{
	return ldexp(bin % 2 ? 1.5 : 1.0, (int)(bin / 2)) / NS_PER_US;
}

size_t burst_bins_fill(
	const uint64_t *sorted_ns, size_t count, struct burst_bin ret_bins[static BURST_BINS_MAX])
{
	unsigned first, last;

	if (count == 0)
		return 0;
	first = bin_of(sorted_ns[0]);
	last = bin_of(sorted_ns[count - 1]);
	CHECK(last < BURST_BINS_MAX && first <= last);
	for (unsigned bin = first; bin <= last; bin++)
		ret_bins[bin - first] = (struct burst_bin){bin_start_us(bin), bin_start_us(bin + 1), 0};
	for (size_t i = 0; i < count; i++)
		ret_bins[bin_of(sorted_ns[i]) - first].count++;
	return last - first + 1;
}
