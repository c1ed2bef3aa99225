/* Numbers, durations and sizes as text. */
#include "config/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct time_case {
	const char *text;
	uint64_t bare_unit_us;
	enum value_result result;
	uint32_t value_ms;
};

static const struct time_case time_cases[] = {
	{"0", 1000, VALUE_OK, 0},
	{"250", 1000, VALUE_OK, 250},
	{"30", 1000000, VALUE_OK, 30000},
	{"1000us", 1000, VALUE_OK, 1},
	{"1001us", 1000, VALUE_OK, 2},
	{"0us", 1000, VALUE_OK, 0},
	{"5ms", 1000, VALUE_OK, 5},
	{"5s", 1000, VALUE_OK, 5000},
	{"2m", 1000, VALUE_OK, 120000},
	{"1h", 1000, VALUE_OK, 3600000},
	{"24d", 1000, VALUE_OK, 2073600000},
	{"2147483647", 1000, VALUE_OK, VALUE_TIME_MS_MAX},
	{"2147483648", 1000, VALUE_TOO_LARGE, 0},
	{"25d", 1000, VALUE_TOO_LARGE, 0},
	{"99999999999999999999", 1000, VALUE_TOO_LARGE, 0},
	{"18446744073709551615d", 1000, VALUE_TOO_LARGE, 0},
	{"999us", 1000, VALUE_TOO_SMALL, 0},
	{"", 1000, VALUE_INVALID, 0},
	{"s", 1000, VALUE_INVALID, 0},
	{"-1", 1000, VALUE_INVALID, 0},
	{"1x", 1000, VALUE_INVALID, 0},
	{"1 s", 1000, VALUE_INVALID, 0},
	{"1.5s", 1000, VALUE_INVALID, 0},
	{"1S", 1000, VALUE_INVALID, 0},
};

static void times_have_units_and_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(time_cases); i++) {
		uint32_t value_ms = 0;

		print_message("'%s'\n", time_cases[i].text);
		assert_int_equal(value_parse_time(time_cases[i].text, time_cases[i].bare_unit_us, &value_ms),
			time_cases[i].result);
		assert_int_equal(value_ms, time_cases[i].value_ms);
	}
}

struct size_case {
	const char *text;
	enum value_result result;
	uint64_t bytes;
};

static const struct size_case size_cases[] = {
	{"16384", VALUE_OK, 16384},
	{"16k", VALUE_OK, 16384},
	{"1M", VALUE_OK, 1048576},
	{"2g", VALUE_OK, 2147483648},
	{"k", VALUE_INVALID, 0},
	{"1kb", VALUE_INVALID, 0},
	{"1t", VALUE_INVALID, 0},
	{"", VALUE_INVALID, 0},
	{"18446744073709551615k", VALUE_TOO_LARGE, 0},
	{"17179869184g", VALUE_TOO_LARGE, 0},
};

static void sizes_have_suffixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(size_cases); i++) {
		uint64_t bytes = 0;

		print_message("'%s'\n", size_cases[i].text);
		assert_int_equal(value_parse_size(size_cases[i].text, &bytes), size_cases[i].result);
		assert_int_equal(bytes, size_cases[i].bytes);
	}
}

static void counts_are_digits_only(void **state)
{
	uint64_t value = 7;
	int64_t with_sign = 7;

	(void)state;
	assert_int_equal(value_parse_count("0", &value), VALUE_OK);
	assert_int_equal(value, 0);
	assert_int_equal(value_parse_count("+1", &value), VALUE_INVALID);
	assert_int_equal(value_parse_count("-1", &value), VALUE_INVALID);
	assert_int_equal(value_parse_count("1k", &value), VALUE_INVALID);
	assert_int_equal(value_parse_count("184467440737095516160", &value), VALUE_TOO_LARGE);
	assert_int_equal(value, 0);
	assert_int_equal(value_parse_signed("-12", &with_sign), VALUE_OK);
	assert_int_equal(with_sign, -12);
	assert_int_equal(value_parse_signed("+3", &with_sign), VALUE_OK);
	assert_int_equal(with_sign, 3);
	assert_int_equal(value_parse_signed("--3", &with_sign), VALUE_INVALID);
	assert_int_equal(value_parse_signed("9223372036854775808", &with_sign), VALUE_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_units_and_bounds),
		cmocka_unit_test(sizes_have_suffixes),
		cmocka_unit_test(counts_are_digits_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
