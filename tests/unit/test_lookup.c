/* Tables of names and the distance between words. */
#include "base/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static const struct lookup colours[] = {{"red", 1}, {"green", 2}, {"verdant", 2}};

static void names_and_values_are_found(void **state)
{
	int value = -7;

	(void)state;
	assert_true(lookup_value(colours, ARRAY_LENGTH(colours), "verdant", &value));
	assert_int_equal(value, 2);
	assert_false(lookup_value(colours, ARRAY_LENGTH(colours), "Green", &value));
	assert_false(lookup_value(colours, ARRAY_LENGTH(colours), "gree", &value));
	assert_int_equal(value, 2);
	assert_string_equal(lookup_name(colours, ARRAY_LENGTH(colours), 2), "green");
	assert_null(lookup_name(colours, ARRAY_LENGTH(colours), 3));
	assert_null(lookup_name(colours, 0, 1));
}

struct distance_case {
	const char *a, *b;
	unsigned distance;
};

static const struct distance_case distance_cases[] = {
	{"", "", 0},
	{"", "abc", 3},
	{"balance", "balance", 0},
	{"balanse", "balance", 1},
	{"blaance", "balance", 1},
	{"alance", "balance", 1},
	{"ballance", "balance", 1},
	{"kitten", "sitting", 3},
	{"ab", "ba", 1},
	{"ca", "abc", 3},
	{"timeout", "client", 5},
	{"0123456789012345678901234567890123456789012345678901234567890123",
		"x123456789012345678901234567890123456789012345678901234567890123", 1},
	{"01234567890123456789012345678901234567890123456789012345678901234", "a", LOOKUP_FAR},
};

static void distances_count_slips_of_the_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(distance_cases); i++) {
		const struct distance_case *row = &distance_cases[i];

		print_message("  '%s' to '%s'\n", row->a, row->b);
		assert_int_equal(lookup_distance(row->a, row->b), row->distance);
		assert_int_equal(lookup_distance(row->b, row->a), row->distance);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_values_are_found),
		cmocka_unit_test(distances_count_slips_of_the_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
