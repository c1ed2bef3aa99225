/* Flags of the commands echo and burst: what is taken, and what is refused. */
#include "usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

static void sizes_are_taken(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"1", 1}, {"2048", 2048}, {"2k", 2048}, {"2K", 2048}, {"4m", 4 * MIB}, {"64M", 64 * MIB}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = 0;

		assert_true(usage_parse_size(cases[i].text, 1, 64 * MIB, &value));
		assert_int_equal(value, cases[i].bytes);
	}
}

static void wrong_sizes_are_refused(void **state)
{
	static const char *const cases[] = {"", "k", "0", "0k", "-1", "+1", " 1", "1 ", "2g", "2kk", "2kb",
		"65m", "1.5k", "67108865", "18446744073709551615k", "99999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint64_t value = 77;

		assert_false(usage_parse_size(cases[i], 1, 64 * MIB, &value));
		assert_int_equal(value, 77);
	}
}

static void numbers_keep_their_range(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_false(usage_parse_number("0", 1, 10, &value));
	assert_false(usage_parse_number("11", 1, 10, &value));
	assert_false(usage_parse_number("5x", 1, 10, &value));
	assert_false(usage_parse_number("0x5", 0, 10, &value));
	assert_int_equal(value, 77);
	assert_true(usage_parse_number("10", 1, 10, &value));
	assert_int_equal(value, 10);
}

static void seconds_have_decimals_and_an_end(void **state)
{
	double seconds = 77;

	(void)state;
	assert_false(usage_parse_seconds("0", 10, &seconds));
	assert_false(usage_parse_seconds("-1", 10, &seconds));
	assert_false(usage_parse_seconds("inf", 10, &seconds));
	assert_false(usage_parse_seconds("nan", 10, &seconds));
	assert_false(usage_parse_seconds("11", 10, &seconds));
	assert_false(usage_parse_seconds("1s", 10, &seconds));
	assert_float_equal(seconds, 77, 1e-9);
	assert_true(usage_parse_seconds(".25", 10, &seconds));
	assert_float_equal(seconds, 0.25, 1e-9);
}

static void addresses_need_a_host_and_one_port(void **state)
{
	static const char *const wrong[] = {"", "127.0.0.1", "/tmp/socket", "abns@x", "fd@3",
		"127.0.0.1:80-85", "127.0.0.1:+5", "127.0.0.1:99999"};
	struct address address = {0};
	const char *reason = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		reason = NULL;
		assert_false(usage_parse_address(wrong[i], &address, &reason));
		assert_non_null(reason);
	}
	assert_true(usage_parse_address("127.0.0.1:80", &address, &reason));
	assert_int_equal(address_port(&address), 80);
	assert_true(usage_parse_address("[::1]:81", &address, &reason));
	assert_int_equal(address_port(&address), 81);
	assert_int_equal(address.any.sa_family, AF_INET6);
}

static void a_listener_may_leave_the_port_to_the_kernel(void **state)
{
	struct address address = {0};
	const char *reason = NULL;

	(void)state;
	assert_false(usage_parse_address("127.0.0.1:0", &address, &reason));
	assert_true(usage_parse_listen_address("127.0.0.1:0", &address, &reason));
	assert_int_equal(address_port(&address), 0);
	assert_true(usage_parse_listen_address("[::1]:0", &address, &reason));
	assert_int_equal(address_port(&address), 0);
	assert_true(usage_parse_listen_address("127.0.0.1:80", &address, &reason));
	assert_int_equal(address_port(&address), 80);
	assert_false(usage_parse_listen_address(":0:0:0", &address, &reason));
	assert_false(usage_parse_listen_address("", &address, &reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_taken),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(numbers_keep_their_range),
		cmocka_unit_test(seconds_have_decimals_and_an_end),
		cmocka_unit_test(addresses_need_a_host_and_one_port),
		cmocka_unit_test(a_listener_may_leave_the_port_to_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
