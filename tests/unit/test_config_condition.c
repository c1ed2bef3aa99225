/* The expressions of .if. */
#include "config/condition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct condition_case {
	const char *text;
	int value; /* -1: refused */
};

static const struct condition_case cases[] = {
	{"", 0},
	{"0", 0},
	{"00", 0},
	{"1", 1},
	{"20", 1},
	{"true", 1},
	{"false", 0},
	{"!1", 0},
	{"!!1", 1},
	{"! 0", 1},
	{"1 && 0", 0},
	{"1&&1", 1},
	{"0 || 1", 1},
	{"1 || 0 && 0", 1},
	{"(1 || 0) && 0", 0},
	{"!(0||1)", 0},
	{"(0||1)&&!(0)", 1},
	{"defined(KNOWN)", 1},
	{"defined(UNKNOWN)", 0},
	{"feature(LINUX_SPLICE)", 1},
	{"feature(OPENSSL)", 0},
	{"feature(SPLICED)", 1},
	{"enabled(SPLICE)", 1},
	{"enabled(KQUEUE)", 0},
	{"streq(a,a)", 1},
	{"streq(a b,a b)", 1},
	{"streq(,)", 1},
	{"streq(a,b)", 0},
	{"strneq(a,b)", 1},
	{"version_atleast(2.4)", 1},
	{"version_atleast(2.6-dev1)", 1},
	{"version_atleast(2.6)", 1},
	{"version_atleast(2.7-dev1)", 0},
	{"version_atleast(3)", 0},
	{"version_before(2.6)", 0},
	{"version_before(2.6.1)", 1},
	{"version_before(3.0-dev2)", 1},
	{"version_atleast(x)", -1},
	{"version_atleast(2.x)", -1},
	{"yes", -1},
	{"foo(1)", -1},
	{"1 0", -1},
	{"1 ||", -1},
	{"&& 1", -1},
	{"(1", -1},
	{"1)", -1},
	{"!", -1},
	{"defined(KNOWN", -1},
	{"streq(a)", -1},
	{"streq(a,b,c)", -1},
	{"1a", -1},
	{"((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))", -1},
};

static void conditions_are_judged(void **state)
{
	struct arena *arena = arena_create();
	struct environment environment = {0};

	(void)state;
	assert_non_null(arena);
	assert_int_equal(setjmp(arena->on_exhausted), 0);
	environment_set(&environment, arena, "KNOWN", "");
	environment_reset(&environment, arena, (const char *const[]){"KNOWN"}, 1);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const char *reason = NULL;
		bool value = false;
		int result = condition_evaluate(cases[i].text, &environment, &value, &reason);

		print_message("'%s'\n", cases[i].text);
		assert_int_equal(result, cases[i].value < 0 ? -EINVAL : 0);
		assert_int_equal(value, cases[i].value > 0);
		assert_true((reason != NULL) == (cases[i].value < 0));
	}
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(conditions_are_judged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
