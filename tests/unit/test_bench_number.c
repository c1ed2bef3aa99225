/* Numbers of splicebench's flags: what is taken, and what is refused. */
#include "../../bench/number.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, UNTOUCHED = 77 };

struct whole {
	const char *text;
	uint64_t min, max, value;
};

static void whole_numbers_keep_their_range(void **state)
{
	static const struct whole cases[] = {{"0", 0, 10, 0}, {"1", 1, 1, 1}, {"10", 1, 10, 10},
		{"007", 1, 10, 7}, {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = UNTOUCHED;

		print_message("  '%s'\n", cases[i].text);
		assert_true(number_parse(cases[i].text, cases[i].min, cases[i].max, &value));
		assert_true(value == cases[i].value);
	}
}

static void what_is_no_whole_number_is_refused(void **state)
{
	static const char *const cases[] = {"", " ", "0", "11", "-1", "-18446744073709551615", "+5", " 5",
		"5 ", "5x", "5k", "0x5", "5.0", "1e1", "five", "18446744073709551616", "18446744073709551621",
		"5\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = UNTOUCHED;

		print_message("  '%s'\n", cases[i]);
		assert_false(number_parse(cases[i], 1, 10, &value));
		assert_true(value == UNTOUCHED);
	}
}

static void the_end_of_the_digits_is_told(void **state)
{
	const char *text = "12:34", *end = NULL;
	uint64_t value = UNTOUCHED;

	(void)state;
	assert_true(number_begin(text, &end, &value));
	assert_true(value == 12 && end == text + 2);
	end = NULL;
	assert_false(number_begin(":34", &end, &value));
	assert_false(number_begin("18446744073709551616:1", &end, &value));
	assert_true(value == 12 && end == NULL);
}

static void sizes_are_taken(void **state)
{
	static const struct whole cases[] = {{"1", 1, 64 * MIB, 1}, {"2048", 1, 64 * MIB, 2048},
		{"2k", 1, 64 * MIB, 2048}, {"2K", 1, 64 * MIB, 2048}, {"4m", 1, 64 * MIB, 4 * MIB},
		{"64M", 1, 64 * MIB, 64 * MIB}, {"65536k", 1, 64 * MIB, 64 * MIB}, {"0", 0, 1, 0},
		{"0g", 0, 1, 0}, {"3g", 1, UINT64_MAX, 3ULL * 1024 * MIB},
		{"1G", 1024ULL * MIB, 1024ULL * MIB, 1024ULL * MIB},
		{"17179869183g", 1, UINT64_MAX, 17179869183ULL << 30}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = UNTOUCHED;

		print_message("  '%s'\n", cases[i].text);
		assert_true(number_parse_size(cases[i].text, cases[i].min, cases[i].max, &value));
		assert_true(value == cases[i].value);
	}
}

static void wrong_sizes_are_refused(void **state)
{
	static const char *const cases[] = {"", "k", "0", "0k", "-1", "+1", " 1", "1 ", "2t", "2kk", "2kb",
		"2k ", "65m", "1g", "1.5k", "67108865", "65537k", "18446744073709551615k", "17179869184g",
		"36028797018963969k", "99999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = UNTOUCHED;

		print_message("  '%s'\n", cases[i]);
		assert_false(number_parse_size(cases[i], 1, 64 * MIB, &value));
		assert_true(value == UNTOUCHED);
	}
}

static void decimals_are_taken(void **state)
{
	static const struct {
		const char *text;
		double value;
	} cases[] = {{"0", 0}, {"3", 3}, {"0.25", 0.25}, {".5", 0.5}, {"2.", 2}, {"1e3", 1000},
		{"2.5E+2", 250}, {"5e-1", 0.5}, {"1000", 1000}, {"1e-999", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		double value = UNTOUCHED;

		print_message("  '%s'\n", cases[i].text);
		assert_true(number_parse_decimal(cases[i].text, 0, 1000, &value));
		assert_float_equal(value, cases[i].value, 1e-9);
	}
}

static void what_is_no_decimal_is_refused(void **state)
{
	static const char *const cases[] = {"", ".", "-1", "-0", "+1", " 1", "1 ", "1s", "1e", "1.2.3", "1,5",
		"0x10", "0X1p3", "inf", "nan", "infinity", "1000.01", "1e9", "1e999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		double value = UNTOUCHED;

		print_message("  '%s'\n", cases[i]);
		assert_false(number_parse_decimal(cases[i], 0, 1000, &value));
		assert_float_equal(value, UNTOUCHED, 1e-9);
	}
}

static void decimals_keep_their_least(void **state)
{
	double value = UNTOUCHED;

	(void)state;
	assert_false(number_parse_decimal("0.009", 0.01, 10, &value));
	assert_false(number_parse_decimal("0", DBL_MIN, 10, &value));
	assert_float_equal(value, UNTOUCHED, 1e-9);
	assert_true(number_parse_decimal("0.01", 0.01, 10, &value));
	assert_true(number_parse_decimal("0.0001", DBL_MIN, 10, &value));
	assert_float_equal(value, 0.0001, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_keep_their_range),
		cmocka_unit_test(what_is_no_whole_number_is_refused),
		cmocka_unit_test(the_end_of_the_digits_is_told),
		cmocka_unit_test(sizes_are_taken),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(decimals_are_taken),
		cmocka_unit_test(what_is_no_decimal_is_refused),
		cmocka_unit_test(decimals_keep_their_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
