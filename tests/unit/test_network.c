/* Networks: what is one, and which addresses are in it. */
#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct endpoint endpoint_of(const char *host)
{
	struct endpoint endpoint = {.family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET};
	if (strcmp(host, "unix") == 0)
		return (struct endpoint){.family = AF_UNIX, .is_local = 1};
	assert_int_equal(inet_pton(endpoint.family, host, endpoint.ip), 1);
	return endpoint;
}

static const struct {
	const char *name, *network, *host;
	bool is_in;
} cases[] = {
	{"an address alone has itself", "10.1.2.3", "10.1.2.3", true},
	{"an address alone has no other", "10.1.2.3", "10.1.2.2", false},
	{"the first address of a network", "10.0.0.0/8", "10.0.0.0", true},
	{"the last address of a network", "10.0.0.0/8", "10.255.255.255", true},
	{"the address before a network", "10.0.0.0/8", "9.255.255.255", false},
	{"the address behind a network", "10.0.0.0/8", "11.0.0.0", false},
	{"a prefix that ends within a byte, inside", "192.168.4.0/22", "192.168.7.255", true},
	{"a prefix that ends within a byte, below", "192.168.4.0/22", "192.168.3.255", false},
	{"a prefix that ends within a byte, above", "192.168.4.0/22", "192.168.8.0", false},
	{"a prefix of 31 bits", "10.0.0.2/31", "10.0.0.3", true},
	{"outside a prefix of 31 bits", "10.0.0.2/31", "10.0.0.1", false},
	{"every IPv4 address", "0.0.0.0/0", "255.1.2.3", true},
	{"every IPv4 address is not every IPv6 address", "0.0.0.0/0", "2001:db8::1", false},
	{"every IPv6 address", "::/0", "2001:db8::1", true},
	{"every IPv6 address is not every IPv4 address", "::/0", "1.2.3.4", false},
	{"IPv4 in IPv6 is not an IPv6 address", "::/0", "::ffff:1.2.3.4", false},
	{"IPv4 in IPv6 is in the IPv4 network", "10.0.0.0/8", "::ffff:10.2.3.4", true},
	{"IPv4 in IPv6 outside the IPv4 network", "10.0.0.0/8", "::ffff:11.2.3.4", false},
	{"a network written as IPv4 in IPv6 has IPv4", "::ffff:10.0.0.0/104", "10.9.9.9", true},
	{"a network written as IPv4 in IPv6 has no more than it says", "::ffff:10.0.0.0/104", "11.9.9.9",
		false},
	{"inside an IPv6 network", "2001:db8::/32", "2001:db8:ffff::1", true},
	{"outside an IPv6 network", "2001:db8::/32", "2001:db9::1", false},
	{"an IPv6 prefix that ends within a byte", "2001:db8::/29", "2001:dbf::1", true},
	{"outside an IPv6 prefix that ends within a byte", "2001:db8::/29", "2001:dc0::1", false},
	{"a single IPv6 address", "::1", "::1", true},
	{"a single IPv6 address has no other", "::1", "::2", false},
	{"a unix socket has no address", "0.0.0.0/0", "unix", false},
};

static void addresses_are_found_in_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct network network;
		const char *reason = NULL;
		struct endpoint endpoint = endpoint_of(cases[i].host);
		print_message("  %s\n", cases[i].name);
		assert_int_equal(network_parse(cases[i].network, &network, &reason), 0);
		assert_int_equal(network_has(&network, &endpoint), cases[i].is_in);
	}
}

static void what_is_no_network_is_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {"", "/", "/8", "10", "10.0.0", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/8x",
		"10.0.0.0/255.0.0.0", "10.0.0.0/99999999999999999999", "10.0.0.0:80", "010.0.0.0/8",
		"proxy.example", "10.0.0.1/8", "10.0.0.1/31", "10.0.0.0/8/8", "::/129", "::1/127", "::1/0",
		"[::1]", "fe80::1%lo", "1111:2222:3333:4444:5555:6666:7777:8888:9999"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct network network = {.bits = 77};
		const char *reason = NULL;
		print_message("  '%s'\n", wrong[i]);
		assert_int_equal(network_parse(wrong[i], &network, &reason), -EINVAL);
		assert_non_null(reason);
		assert_int_equal(network.bits, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found_in_networks),
		cmocka_unit_test(what_is_no_network_is_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
