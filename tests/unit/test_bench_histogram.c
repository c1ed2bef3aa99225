/* The histogram of splicebench. */
#include "../../bench/load/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct histogram histogram, other;

static void an_empty_one_reads_zero(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	assert_int_equal(histogram_quantile(&histogram, 0.99), 0);
	assert_int_equal(histogram_quantile(&histogram, 0), 0);
	assert_true(histogram_mean(&histogram) == 0);
}

static void one_value_is_every_quantile_exactly(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	histogram_add(&histogram, 1234567);
	assert_int_equal(histogram_quantile(&histogram, 0), 1234567);
	assert_int_equal(histogram_quantile(&histogram, 0.5), 1234567);
	assert_int_equal(histogram_quantile(&histogram, 1), 1234567);
	assert_int_equal(histogram.lowest, 1234567);
	assert_int_equal(histogram.highest, 1234567);
}

/* The value stands between a low and a high one, so that no clamp helps. */
static void each_value_reads_within_one_percent(void **state)
{
	(void)state;
	for (double value = 1; value < 1e18; value *= 1.07) {
		uint64_t exact = (uint64_t)value;
		histogram_reset(&histogram);
		histogram_add(&histogram, 0);
		histogram_add(&histogram, exact);
		histogram_add(&histogram, UINT64_MAX);
		uint64_t read = histogram_quantile(&histogram, 0.5);
		assert_true(fabs((double)read - (double)exact) <= 0.01 * (double)exact);
	}
}

static void quantiles_follow_the_nearest_rank(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	for (uint64_t value = 1; value <= 100; value++)
		histogram_add(&histogram, value);
	assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
	assert_int_equal(histogram_quantile(&histogram, 0.9), 90);
	assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
	assert_int_equal(histogram_quantile(&histogram, 0.999), 100);
	assert_true(fabs(histogram_mean(&histogram) - 50.5) < 1e-9);
}

static void one_outlier_shows_in_the_last_quantile_only(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	for (unsigned i = 0; i < 999; i++)
		histogram_add(&histogram, 1000);
	histogram_add(&histogram, 5000000);
	assert_true(histogram_quantile(&histogram, 0.999) < 1010);
	assert_int_equal(histogram_quantile(&histogram, 1), 5000000);
}

static void a_merge_holds_what_both_held(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	histogram_reset(&other);
	for (uint64_t value = 1; value <= 50; value++)
		histogram_add(&histogram, value + 50);
	histogram_merge(&histogram, &other);
	assert_int_equal(histogram.lowest, 51);
	for (uint64_t value = 1; value <= 50; value++)
		histogram_add(&other, value);
	histogram_merge(&histogram, &other);
	assert_int_equal(histogram.count, 100);
	assert_int_equal(histogram.lowest, 1);
	assert_int_equal(histogram.highest, 100);
	assert_int_equal(histogram_quantile(&histogram, 0.25), 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_reads_zero),
		cmocka_unit_test(one_value_is_every_quantile_exactly),
		cmocka_unit_test(each_value_reads_within_one_percent),
		cmocka_unit_test(quantiles_follow_the_nearest_rank),
		cmocka_unit_test(one_outlier_shows_in_the_last_quantile_only),
		cmocka_unit_test(a_merge_holds_what_both_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
