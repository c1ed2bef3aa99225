/* The timing wheel against a plain model: never early, late within its promise,
 * each timer once, whatever is armed and cancelled from where. */
#include "loop/timer_wheel.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/list.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const uint64_t DAY = 24 * HOUR;

struct probe {
	struct loop_timer timer;
	uint64_t wanted_ms; /* what was asked for */
	uint64_t latest_ms;
	unsigned fired;
	void (*on_fired)(struct probe *probe);
	struct probe *other;
};

static struct timer_wheel wheel;

static void probe_fired(struct loop_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	probe->fired++;
	assert_true(wheel.now_ms >= probe->wanted_ms);
	if (probe->on_fired)
		probe->on_fired(probe);
}

/* The precision loop.h promises. */
static uint64_t lateness_max(uint64_t distance_ms)
{
	return distance_ms / 100 > 8 ? distance_ms / 100 : 8;
}

static void probe_arm(struct probe *probe, uint64_t wanted_ms)
{
	uint64_t distance_ms = wanted_ms > wheel.now_ms ? wanted_ms - wheel.now_ms : 0;

	probe->timer.on_expiry = probe_fired;
	probe->timer.expires_ms = probe->wanted_ms = wanted_ms;
	probe->latest_ms = wheel.now_ms + distance_ms + lateness_max(distance_ms);
	timer_wheel_add(&wheel, &probe->timer);
}

static bool is_armed(const struct probe *probe)
{
	return probe->timer.node.next && probe->timer.node.next != &probe->timer.node;
}

struct distance_case {
	const char *name;
	uint64_t distance_ms;
};

static const struct distance_case distance_cases[] = {
	{"at once", 0},
	{"one millisecond", 1},
	{"just before a tick", 7},
	{"a tick", 8},
	{"the first level's end", 511},
	{"just behind the first level", 512},
	{"two seconds", 2 * SECOND},
	{"half a minute", 30 * SECOND},
	{"the second level's end", 32767},
	{"behind the second level", 32769},
	{"ten minutes", 10 * MINUTE},
	{"an hour", HOUR},
	{"a day", 24 * (uint64_t)HOUR},
	{"forty days", 40 * 24 * (uint64_t)HOUR},
	{"three years", 1095 * 24 * (uint64_t)HOUR},
};

static const uint64_t starts[] = {0, 1, 511, 4095, 86399999, 123456789012};

/* Walks by the wheel's own word on how long to wait, as the loop does. */
static void every_distance_is_met_by_waiting_as_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(distance_cases) * ARRAY_LENGTH(starts); i++) {
		const struct distance_case *row = &distance_cases[i / ARRAY_LENGTH(starts)];
		struct probe probe = {.fired = 0};
		unsigned steps = 0;

		timer_wheel_init(&wheel, starts[i % ARRAY_LENGTH(starts)]);
		probe_arm(&probe, wheel.now_ms + row->distance_ms);
		while (probe.fired == 0) {
			int wait_ms = timer_wheel_wait_ms(&wheel, wheel.now_ms);

			assert_true(wait_ms >= 0);
			(void)timer_wheel_advance(&wheel, wheel.now_ms + (unsigned)wait_ms);
			assert_true(++steps < 64); /* one wait is 24 days at most */
		}
		if (wheel.now_ms > probe.latest_ms)
			print_error("%s: %llu ms late\n", row->name,
				(unsigned long long)(wheel.now_ms - probe.wanted_ms));
		assert_true(wheel.now_ms <= probe.latest_ms);
		assert_int_equal(wheel.armed, 0);
		assert_int_equal(timer_wheel_wait_ms(&wheel, wheel.now_ms), -1);
	}
}

static void a_jump_of_hours_runs_everything_due_in_order(void **state)
{
	static struct probe probes[200];
	uint64_t before_ms = 0;

	(void)state;
	memset(probes, 0, sizeof(probes));
	timer_wheel_init(&wheel, 987654321);
	for (size_t i = 0; i < ARRAY_LENGTH(probes); i++)
		probe_arm(&probes[i], wheel.now_ms + hash_mix(i) % (6 * HOUR));
	assert_int_equal(wheel.armed, ARRAY_LENGTH(probes));
	for (unsigned hour = 1; hour <= 7; hour++) {
		uint64_t now_ms = 987654321 + (uint64_t)hour * HOUR;

		(void)timer_wheel_advance(&wheel, now_ms);
		for (size_t i = 0; i < ARRAY_LENGTH(probes); i++) {
			if (probes[i].wanted_ms > now_ms)
				assert_int_equal(probes[i].fired, 0);
			if (probes[i].latest_ms <= now_ms)
				assert_int_equal(probes[i].fired, 1);
		}
		assert_true(wheel.now_ms > before_ms);
		before_ms = wheel.now_ms;
	}
	assert_int_equal(wheel.armed, 0);
}

static void cancel_other(struct probe *probe)
{
	timer_wheel_remove(&wheel, &probe->other->timer);
}

static void a_timer_of_the_same_batch_can_be_cancelled(void **state)
{
	struct probe first = {.on_fired = cancel_other}, second = {.fired = 0};

	(void)state;
	first.other = &second;
	timer_wheel_init(&wheel, 1000);
	probe_arm(&first, 1100);
	probe_arm(&second, 1100);
	assert_int_equal(timer_wheel_advance(&wheel, 2000), 1);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
	assert_false(is_armed(&second));
	assert_int_equal(wheel.armed, 0);
}

static void arm_other_later(struct probe *probe)
{
	probe_arm(probe->other, wheel.now_ms + 100);
}

static void a_timer_of_the_same_batch_can_be_put_off(void **state)
{
	struct probe first = {.on_fired = arm_other_later}, second = {.fired = 0};

	(void)state;
	first.other = &second;
	timer_wheel_init(&wheel, 1000);
	probe_arm(&first, 1100);
	probe_arm(&second, 1100);
	assert_int_equal(timer_wheel_advance(&wheel, 2000), 1);
	assert_int_equal(second.fired, 0);
	assert_int_equal(timer_wheel_advance(&wheel, 2099), 0);
	assert_int_equal(timer_wheel_advance(&wheel, 2108), 1);
	assert_int_equal(second.fired, 1);
}

static void arm_again_at_once(struct probe *probe)
{
	probe_arm(probe, wheel.now_ms);
}

static void a_timer_that_arms_itself_at_once_runs_once_a_pass(void **state)
{
	struct probe probe = {.on_fired = arm_again_at_once};

	(void)state;
	timer_wheel_init(&wheel, 1003);
	probe_arm(&probe, 0);
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(timer_wheel_wait_ms(&wheel, wheel.now_ms), 0);
		assert_int_equal(timer_wheel_advance(&wheel, 1003), 1);
		assert_int_equal(probe.fired, i);
	}
	timer_wheel_remove(&wheel, &probe.timer);
	assert_int_equal(timer_wheel_wait_ms(&wheel, wheel.now_ms), -1);
}

static void cancelled_timers_wake_nobody(void **state)
{
	struct probe probe = {.fired = 0};

	(void)state;
	timer_wheel_init(&wheel, 5);
	for (size_t i = 0; i < ARRAY_LENGTH(distance_cases); i++) {
		probe_arm(&probe, wheel.now_ms + distance_cases[i].distance_ms);
		timer_wheel_remove(&wheel, &probe.timer);
		timer_wheel_remove(&wheel, &probe.timer);
		assert_int_equal(wheel.armed, 0);
		assert_int_equal(timer_wheel_wait_ms(&wheel, wheel.now_ms), -1);
	}
}

static void arming_again_moves_the_timer(void **state)
{
	struct probe probe = {.fired = 0};

	(void)state;
	timer_wheel_init(&wheel, 0);
	probe_arm(&probe, HOUR);
	probe_arm(&probe, 100);
	assert_int_equal(wheel.armed, 1);
	assert_int_equal(timer_wheel_advance(&wheel, 108), 1);
	assert_int_equal(timer_wheel_advance(&wheel, 2 * HOUR), 0);
}

static void a_clock_that_goes_back_changes_nothing(void **state)
{
	struct probe probe = {.fired = 0};

	(void)state;
	timer_wheel_init(&wheel, 10000);
	probe_arm(&probe, 10100);
	assert_int_equal(timer_wheel_advance(&wheel, 9000), 0);
	assert_int_equal(wheel.now_ms, 10000);
	assert_int_equal(timer_wheel_advance(&wheel, 10108), 1);
}

static void a_deadline_beyond_all_time_never_comes(void **state)
{
	struct probe never = {.fired = 0}, far = {.fired = 0};

	(void)state;
	timer_wheel_init(&wheel, 1000);
	probe_arm(&never, UINT64_MAX);
	probe_arm(&far, 1000 + 100 * 365 * DAY);
	assert_int_equal(timer_wheel_wait_ms(&wheel, 1000), INT_MAX);
	for (uint64_t day = 1; day < 5000; day += 7)
		assert_int_equal(timer_wheel_advance(&wheel, 1000 + day * DAY), 0);
	assert_int_equal(wheel.armed, 2);
}

static void many_idle_timers_expire_in_few_batches(void **state)
{
	static struct probe probes[3000];
	unsigned batches = 0;

	(void)state;
	memset(probes, 0, sizeof(probes));
	timer_wheel_init(&wheel, 777);
	for (size_t i = 0; i < ARRAY_LENGTH(probes); i++)
		probe_arm(&probes[i], wheel.now_ms + MINUTE + i);
	while (wheel.armed > 0) {
		(void)timer_wheel_advance(
			&wheel, wheel.now_ms + (unsigned)timer_wheel_wait_ms(&wheel, wheel.now_ms));
		batches++;
	}
	assert_true(batches < 20);
}

enum { PROBES = 64, OPERATIONS = 60000 };

struct random {
	uint64_t seed, step;
};

static uint64_t random_below(struct random *random, uint64_t bound)
{
	return hash_mix(random->seed ^ hash_mix(random->step++)) % bound;
}

/* Distances of every order of magnitude. */
static uint64_t random_distance(struct random *random)
{
	return random_below(random, (uint64_t)1 << (1 + random_below(random, 32)));
}

static void check_model(const struct probe *probes, const bool *should_be_armed)
{
	uint64_t armed = 0, earliest_ms = UINT64_MAX;
	int wait_ms = timer_wheel_wait_ms(&wheel, wheel.now_ms);

	for (size_t i = 0; i < PROBES; i++) {
		/* What is overdue beyond the promise must have run. */
		assert_int_equal(is_armed(&probes[i]), should_be_armed[i] && probes[i].fired == 0);
		if (!is_armed(&probes[i]))
			continue;
		armed++;
		assert_true(probes[i].latest_ms > wheel.now_ms);
		if (probes[i].latest_ms < earliest_ms)
			earliest_ms = probes[i].latest_ms;
	}
	assert_int_equal(wheel.armed, armed);
	if (armed == 0)
		assert_int_equal(wait_ms, -1);
	else
		assert_true(wheel.now_ms + (unsigned)wait_ms <= earliest_ms);
}

static void random_operations_agree_with_the_model(void **state)
{
	static struct probe probes[PROBES];
	static bool should_be_armed[PROBES];
	struct random random = {.seed = 20240229};

	(void)state;
	memset(probes, 0, sizeof(probes));
	memset(should_be_armed, 0, sizeof(should_be_armed));
	timer_wheel_init(&wheel, 123457);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		size_t chosen = random_below(&random, PROBES);
		uint64_t dice = random_below(&random, 10);

		if (dice < 4) {
			probes[chosen].fired = 0;
			should_be_armed[chosen] = true;
			probe_arm(&probes[chosen], wheel.now_ms + random_distance(&random));
		} else if (dice < 6) {
			should_be_armed[chosen] = false;
			timer_wheel_remove(&wheel, &probes[chosen].timer);
		} else if (dice < 9 && wheel.armed > 0) {
			(void)timer_wheel_advance(
				&wheel, wheel.now_ms + (unsigned)timer_wheel_wait_ms(&wheel, wheel.now_ms));
		} else {
			(void)timer_wheel_advance(&wheel, wheel.now_ms + random_distance(&random) / 16);
		}
		for (size_t each = 0; each < PROBES; each++)
			assert_true(probes[each].fired <= 1);
		check_model(probes, should_be_armed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_distance_is_met_by_waiting_as_told),
		cmocka_unit_test(a_jump_of_hours_runs_everything_due_in_order),
		cmocka_unit_test(a_timer_of_the_same_batch_can_be_cancelled),
		cmocka_unit_test(a_timer_of_the_same_batch_can_be_put_off),
		cmocka_unit_test(a_timer_that_arms_itself_at_once_runs_once_a_pass),
		cmocka_unit_test(cancelled_timers_wake_nobody),
		cmocka_unit_test(arming_again_moves_the_timer),
		cmocka_unit_test(a_clock_that_goes_back_changes_nothing),
		cmocka_unit_test(a_deadline_beyond_all_time_never_comes),
		cmocka_unit_test(many_idle_timers_expire_in_few_batches),
		cmocka_unit_test(random_operations_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
