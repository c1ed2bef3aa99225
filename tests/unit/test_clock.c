/* Clocks go forward and agree with each other. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void monotonic_time_never_goes_back(void **state)
{
	uint64_t before = clock_monotonic_us();

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now = clock_monotonic_us();

		assert_true(now >= before);
		before = now;
	}
}

static void milliseconds_are_a_thousandth_of_microseconds(void **state)
{
	uint64_t before = clock_monotonic_us(), now_ms = clock_monotonic_ms(), after = clock_monotonic_us();

	(void)state;
	assert_in_range(now_ms, before / 1000, after / 1000);
}

static void wall_time_is_that_of_the_day(void **state)
{
	time_t before = time(NULL);

	(void)state;
	assert_in_range(clock_wall_us() / 1000000, before, before + 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_time_never_goes_back),
		cmocka_unit_test(milliseconds_are_a_thousandth_of_microseconds),
		cmocka_unit_test(wall_time_is_that_of_the_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
