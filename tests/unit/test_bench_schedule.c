/* The open-loop schedule of splicebench. */
#include "../../bench/load/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t start_ns = 1000000000000;
static const uint64_t second_ns = 1000000000;

static uint64_t count_until(struct schedule *schedule, uint64_t until_ns)
{
	uint64_t due_ns, count = 0;
	while (schedule_take(schedule, until_ns, &due_ns))
		count++;
	return count;
}

static void nothing_is_due_before_the_start(void **state)
{
	(void)state;
	struct schedule schedule;
	uint64_t due_ns;
	schedule_init(&schedule, ARRIVAL_EVEN, 1000, start_ns, 1);
	assert_false(schedule_take(&schedule, start_ns - 1, &due_ns));
	assert_true(schedule_take(&schedule, start_ns, &due_ns));
	assert_int_equal(due_ns, start_ns);
	assert_false(schedule_take(&schedule, start_ns, &due_ns));
	assert_int_equal(schedule_next_ns(&schedule), start_ns + 1000000);
}

/* Otherwise waiting would be left out of the latency. */
static void what_was_due_during_a_stall_keeps_its_own_time(void **state)
{
	(void)state;
	struct schedule schedule;
	uint64_t due_ns;
	schedule_init(&schedule, ARRIVAL_EVEN, 1000, start_ns, 1);
	for (uint64_t i = 0; i < 500; i++) {
		assert_true(schedule_take(&schedule, start_ns + second_ns, &due_ns));
		assert_int_equal(due_ns, start_ns + i * 1000000);
	}
}

static void an_odd_rate_does_not_drift_in_an_hour(void **state)
{
	(void)state;
	struct schedule schedule;
	schedule_init(&schedule, ARRIVAL_EVEN, 333.3, start_ns, 1);
	uint64_t count = count_until(&schedule, start_ns + 3600 * second_ns);
	assert_true(count >= 1199880 && count <= 1199881);
}

static void poisson_keeps_the_rate_and_its_own_spread(void **state)
{
	(void)state;
	struct schedule schedule;
	uint64_t due_ns, last_ns = start_ns, count = 0;
	double squares = 0;
	schedule_init(&schedule, ARRIVAL_POISSON, 10000, start_ns, 7);
	while (schedule_take(&schedule, start_ns + 20 * second_ns, &due_ns)) {
		double distance = (double)(due_ns - last_ns) / 1e5;
		squares += distance * distance;
		last_ns = due_ns;
		count++;
	}
	assert_true(fabs((double)count - 200000) < 2000);
	/* The mean square of exponential distances is twice the squared mean. */
	assert_true(fabs(squares / (double)count - 2) < 0.1);
}

static void the_same_seed_gives_the_same_times(void **state)
{
	(void)state;
	struct schedule one, two;
	schedule_init(&one, ARRIVAL_POISSON, 100, start_ns, 7);
	schedule_init(&two, ARRIVAL_POISSON, 100, start_ns, 7);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t one_ns, two_ns;
		assert_true(schedule_take(&one, UINT64_MAX, &one_ns));
		assert_true(schedule_take(&two, UINT64_MAX, &two_ns));
		assert_int_equal(one_ns, two_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_before_the_start),
		cmocka_unit_test(what_was_due_during_a_stall_keeps_its_own_time),
		cmocka_unit_test(an_odd_rate_does_not_drift_in_an_hour),
		cmocka_unit_test(poisson_keeps_the_rate_and_its_own_spread),
		cmocka_unit_test(the_same_seed_gives_the_same_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
