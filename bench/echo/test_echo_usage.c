/* Addresses in flags of the commands echo and burst: what is taken, and what is refused. */
#include "usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
		cmocka_unit_test(addresses_need_a_host_and_one_port),
		cmocka_unit_test(a_listener_may_leave_the_port_to_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
