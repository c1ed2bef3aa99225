/* Blocks of counters add up field by field; maxima are maximised. */
#include "metrics/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS = offsetof(struct traffic_counters, time_samples) / sizeof(counter) + 1 };

static void a_counter_is_added_to_read_and_maximised(void **state)
{
	counter value = 5;

	(void)state;
	counter_add(&value, 3);
	assert_int_equal(counter_read(&value), 8);
	counter_max(&value, 7);
	assert_int_equal(counter_read(&value), 8);
	counter_max(&value, 9);
	assert_int_equal(counter_read(&value), 9);
}

static void every_field_is_summed_or_maximised(void **state)
{
	struct traffic_counters total = {0}, part = {0};
	counter *totals = &total.connections, *parts = &part.connections;
	unsigned maxima = 0;

	(void)state;
	for (size_t i = 0; i < FIELDS; i++)
		parts[i] = 10 + i;
	traffic_counters_add(&total, &part);
	traffic_counters_add(&total, &part);
	for (size_t i = 0; i < FIELDS; i++) {
		assert_true(totals[i] == 10 + i || totals[i] == 2 * (10 + i));
		maxima += totals[i] == 10 + i;
	}
	assert_int_equal(maxima, 3);
	assert_int_equal(total.queue_ms_max, part.queue_ms_max);
	assert_int_equal(total.connect_ms_max, part.connect_ms_max);
	assert_int_equal(total.session_ms_max, part.session_ms_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_is_added_to_read_and_maximised),
		cmocka_unit_test(every_field_is_summed_or_maximised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
