/* Rise and fall: one row for each sequence of checks. */
#include "check/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

/* checks: '+' good, '-' bad, 'w' weakened; after each the state as "U2/3", "U" or "D1/2", "D". */
static const struct {
	const char *name;
	unsigned rise, fall;
	const char *checks, *states;
} cases[] = {
	{"the first failure takes a new server down", 2, 3, "-", "D"},
	{"the first success makes it fully up", 2, 3, "+", "U"},
	{"fall failures in a row take it down", 2, 3, "+---", "U U2/3 U1/3 D"},
	{"a success between begins the count anew", 2, 3, "+--+--", "U U2/3 U1/3 U U2/3 U1/3"},
	{"rise successes in a row bring it back", 2, 3, "-++", "D D1/2 U"},
	{"a failure on the way up begins anew", 3, 2, "-++-+", "D D1/3 D2/3 D D1/3"},
	{"more failures change nothing", 2, 3, "---+", "D D D D1/2"},
	{"rise 1 brings it back at once", 1, 1, "-+-", "D U D"},
	{"long ways are counted", 1, 4, "+---+", "U U3/4 U2/4 U1/4 U"},
	{"weakened it stands one failure", 2, 5, "+w--", "U U2/5 U1/5 D"},
	{"weakening does not strengthen", 2, 3, "+--w-", "U U2/3 U1/3 U1/3 D"},
};

static void apply(struct health *health, char check)
{
	if (check == '+')
		health_pass(health);
	else if (check == '-')
		health_fail(health);
	else
		health_weaken(health);
}

static void state_print(const struct health *health, char *ret_text, size_t size)
{
	unsigned done, of;
	health_progress(health, &done, &of);
	if (health_is_changing(health))
		snprintf(ret_text, size, "%c%u/%u ", health_is_up(health) ? 'U' : 'D', done, of);
	else
		snprintf(ret_text, size, "%c ", health_is_up(health) ? 'U' : 'D');
}

static void checks_lead_to_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct health health;
		char states[128] = "";
		health_init(&health, cases[i].rise, cases[i].fall);
		assert_true(health_is_up(&health));
		for (const char *check = cases[i].checks; *check != '\0'; check++) {
			size_t len = strlen(states);
			apply(&health, *check);
			state_print(&health, states + len, sizeof(states) - len);
		}
		states[strlen(states) - 1] = '\0';
		if (strcmp(states, cases[i].states) != 0)
			fail_msg("%s: %s, not %s", cases[i].name, states, cases[i].states);
	}
}

static void changes_are_told(void **state)
{
	struct health health;
	(void)state;
	health_init(&health, 2, 2);
	assert_true(health_pass(&health));
	assert_false(health_pass(&health));
	assert_true(health_fail(&health));
	assert_true(health_fail(&health));
	assert_false(health_fail(&health));
	health_set(&health, true);
	assert_false(health_pass(&health));
	health_set(&health, false);
	assert_false(health_is_up(&health) || health_is_changing(&health));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_lead_to_states),
		cmocka_unit_test(changes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
