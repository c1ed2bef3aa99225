/* The burst client's pattern catches what can go wrong with a stream; its
 * figures are those one computes by hand. */
#include "burst.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

enum { BLOCK = 4099 }; /* no multiple of the pattern's words */

static char sent[BLOCK], received[BLOCK];

static void the_pattern_does_not_depend_on_how_it_is_cut(void **state)
{
	char whole[1000], parts[1000];

	(void)state;
	burst_pattern_fill(whole, sizeof(whole), 12345);
	for (size_t at = 0; at < sizeof(parts); at += 5)
		burst_pattern_fill(parts + at, 5, 12345 + at);
	assert_memory_equal(whole, parts, sizeof(whole));
}

static void an_equal_block_has_no_difference(void **state)
{
	size_t first = 77;

	(void)state;
	burst_pattern_fill(sent, BLOCK, 0);
	burst_pattern_fill(received, BLOCK, 0);
	assert_int_equal(burst_pattern_compare(sent, received, BLOCK, &first), 0);
	assert_int_equal(first, 77);
}

static void a_flipped_byte_is_found_at_its_place(void **state)
{
	size_t first = 0;

	(void)state;
	burst_pattern_fill(sent, BLOCK, 0);
	burst_pattern_fill(received, BLOCK, 0);
	received[BLOCK - 1] ^= 1;
	assert_int_equal(burst_pattern_compare(sent, received, BLOCK, &first), 1);
	assert_int_equal(first, BLOCK - 1);
}

static void a_repeated_segment_is_found_where_it_begins(void **state)
{
	size_t first = 0;

	(void)state;
	burst_pattern_fill(sent, BLOCK, 0);
	memcpy(received, sent, 2048);
	memcpy(received + 2048, sent + 1024, BLOCK - 2048);
	assert_true(burst_pattern_compare(sent, received, BLOCK, &first) > BLOCK / 3);
	assert_in_range(first, 2048, 2048 + 7);
}

static void a_lost_or_repeated_block_is_unlike_the_next(void **state)
{
	size_t first;

	(void)state;
	burst_pattern_fill(sent, BLOCK, BLOCK);
	burst_pattern_fill(received, BLOCK, 0);
	assert_true(burst_pattern_compare(sent, received, BLOCK, &first) > BLOCK / 2);
	burst_pattern_fill(received, BLOCK, 2 * BLOCK);
	assert_true(burst_pattern_compare(sent, received, BLOCK, &first) > BLOCK / 2);
}

static void figures_of_known_values_are_known(void **state)
{
	uint64_t values[] = {4000, 2000, 9000, 5000, 4000, 7000, 4000, 5000};
	struct burst_statistics figures;

	(void)state;
	burst_statistics_compute(values, ARRAY_LENGTH(values), &figures);
	assert_int_equal(figures.count, 8);
	assert_float_equal(figures.min_us, 2.0, 1e-9);
	assert_float_equal(figures.median_us, 4.5, 1e-9);
	assert_float_equal(figures.average_us, 5.0, 1e-9);
	assert_float_equal(figures.deviation_us, 2.0, 1e-9);
	assert_float_equal(figures.p90_us, 9.0, 1e-9);
	assert_float_equal(figures.max_us, 9.0, 1e-9);
}

static void figures_of_one_and_of_no_value(void **state)
{
	uint64_t value = 1500;
	struct burst_statistics figures;

	(void)state;
	burst_statistics_compute(&value, 1, &figures);
	assert_float_equal(figures.median_us, 1.5, 1e-9);
	assert_float_equal(figures.p99_us, 1.5, 1e-9);
	assert_float_equal(figures.deviation_us, 0.0, 1e-9);
	burst_statistics_compute(NULL, 0, &figures);
	assert_int_equal(figures.count, 0);
	assert_float_equal(figures.max_us, 0.0, 1e-9);
}

static void every_value_is_in_one_bin_that_holds_it(void **state)
{
	const uint64_t sorted[] = {1000, 1535, 1536, 2047, 2048, 9000, 1000000};
	struct burst_bin bins[BURST_BINS_MAX];
	size_t count = burst_bins_fill(sorted, ARRAY_LENGTH(sorted), bins);
	uint64_t total = 0;

	(void)state;
	assert_true(count > 2);
	for (size_t i = 0; i < count; i++) {
		uint64_t inside = 0;

		for (size_t at = 0; at < ARRAY_LENGTH(sorted); at++) {
			double value_us = (double)sorted[at] / 1000.0;

			inside += value_us >= bins[i].from_us && value_us < bins[i].to_us;
		}
		assert_int_equal(bins[i].count, inside);
		total += bins[i].count;
		if (i > 0)
			assert_float_equal(bins[i].from_us, bins[i - 1].to_us, 1e-9);
	}
	assert_int_equal(total, ARRAY_LENGTH(sorted));
	assert_int_equal(bins[0].count, 1);
}

static void bins_take_the_extremes_and_nothing(void **state)
{
	const uint64_t extremes[] = {0, 1, UINT64_MAX};
	struct burst_bin bins[BURST_BINS_MAX];

	(void)state;
	assert_int_equal(burst_bins_fill(NULL, 0, bins), 0);
	assert_int_equal(burst_bins_fill(extremes, ARRAY_LENGTH(extremes), bins), BURST_BINS_MAX);
	assert_int_equal(bins[0].count, 2);
	assert_int_equal(bins[BURST_BINS_MAX - 1].count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pattern_does_not_depend_on_how_it_is_cut),
		cmocka_unit_test(an_equal_block_has_no_difference),
		cmocka_unit_test(a_flipped_byte_is_found_at_its_place),
		cmocka_unit_test(a_repeated_segment_is_found_where_it_begins),
		cmocka_unit_test(a_lost_or_repeated_block_is_unlike_the_next),
		cmocka_unit_test(figures_of_known_values_are_known),
		cmocka_unit_test(figures_of_one_and_of_no_value),
		cmocka_unit_test(every_value_is_in_one_bin_that_holds_it),
		cmocka_unit_test(bins_take_the_extremes_and_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
