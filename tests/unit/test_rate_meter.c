/* Rates per second, on a clock of the test's own. */
#include "metrics/rate_meter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void count_evenly(struct rate_meter *meter, uint64_t from_ms, uint64_t to_ms, unsigned step_ms)
{
	for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms += step_ms)
		rate_meter_count(meter, now_ms);
}

static void a_new_meter_reads_nothing(void **state)
{
	struct rate_meter meter = {0};

	(void)state;
	assert_int_equal(rate_meter_read(&meter, 0), 0);
	assert_int_equal(rate_meter_read(&meter, 123456789), 0);
}

static void a_burst_is_seen_at_once_and_forgotten(void **state)
{
	struct rate_meter meter = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		rate_meter_count(&meter, 5000);
	assert_int_equal(rate_meter_read(&meter, 5000), 100);
	assert_int_equal(rate_meter_read(&meter, 5999), 100);
	assert_int_equal(rate_meter_read(&meter, 6500), 50);
	assert_int_equal(rate_meter_read(&meter, 6999), 0);
	assert_int_equal(rate_meter_read(&meter, 7000), 0);
	assert_int_equal(rate_meter_read(&meter, 1000000), 0);
}

static void an_even_flow_reads_as_its_rate_at_any_moment(void **state)
{
	struct rate_meter meter = {0};

	(void)state;
	count_evenly(&meter, 777000, 779000, 10);
	for (uint64_t now_ms = 779000; now_ms < 785000; now_ms += 10) {
		rate_meter_count(&meter, now_ms);
		assert_in_range(rate_meter_read(&meter, now_ms), 99, 102);
	}
}

static void a_pause_leaves_nothing_behind(void **state)
{
	struct rate_meter meter = {0};

	(void)state;
	count_evenly(&meter, 1000, 3000, 1);
	rate_meter_count(&meter, 60000);
	assert_int_equal(rate_meter_read(&meter, 60000), 1);
	assert_int_equal(rate_meter_read(&meter, 60500), 1);
}

static void a_clock_a_little_behind_is_no_rate_of_its_own(void **state)
{
	struct rate_meter meter = {0};

	(void)state;
	rate_meter_count(&meter, 5000);
	rate_meter_count(&meter, 4990);
	assert_int_equal(rate_meter_read(&meter, 4980), 2);
}

enum { THREADS = 3, COUNTS = 20000 };

static void *count_many(void *context)
{
	for (unsigned i = 0; i < COUNTS; i++)
		rate_meter_count(context, 1000 + i / 100);
	return NULL;
}

static void threads_lose_no_count_within_a_window(void **state)
{
	struct rate_meter meter = {0};
	pthread_t threads[THREADS];

	(void)state;
	rate_meter_count(&meter, 1000);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, &meter), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(rate_meter_read(&meter, 1200), THREADS * COUNTS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_meter_reads_nothing),
		cmocka_unit_test(a_burst_is_seen_at_once_and_forgotten),
		cmocka_unit_test(an_even_flow_reads_as_its_rate_at_any_moment),
		cmocka_unit_test(a_pause_leaves_nothing_behind),
		cmocka_unit_test(a_clock_a_little_behind_is_no_rate_of_its_own),
		cmocka_unit_test(threads_lose_no_count_within_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
