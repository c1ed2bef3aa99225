/* Questions to the routing table, in a network namespace of the test's own. */
#include "base/route.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool has_namespace;

static struct endpoint endpoint_of(const char *host)
{
	struct address_spec spec = {.family = AF_UNSPEC};
	struct address address;
	struct endpoint endpoint;
	assert_true(strlen(host) < sizeof(spec.host));
	memcpy(spec.host, host, strlen(host));
	assert_int_equal(address_resolve(&spec, 0, &address), 0);
	endpoint_from_address(&address, &endpoint);
	return endpoint;
}

/* Runs ip(8) with up to nine words. */
static void ip(const char *words)
{
	char copy[256], program[] = "ip", *list[16] = {program}, *rest = copy;
	unsigned count = 1;
	int status;
	snprintf(copy, sizeof(copy), "%s", words);
	while (count < 15 && (list[count] = strsep(&rest, " ")) != NULL)
		count++;
	pid_t child = fork();
	if (child == 0) {
		execvp("ip", list);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int setup(void **state)
{
	(void)state;
	has_namespace = unshare(CLONE_NEWNET) == 0;
	if (!has_namespace)
		return 0;
	ip("link set lo up");
	ip("link add one type veth peer name two");
	ip("link add three type veth peer name four");
	ip("link add bridge type bridge");
	ip("link set four master bridge");
	ip("addr add 10.1.0.1/24 dev one");
	ip("addr add fd00:1::1/64 dev one nodad");
	ip("link set one up");
	ip("link set two up");
	ip("route add 10.2.0.0/16 via 10.1.0.254");
	ip("-6 route add fd00:2::/32 via fd00:1::fe");
	return 0;
}

static void namespace_need(void)
{
	if (!has_namespace) {
		print_message("skipped: no network namespaces\n");
		skip();
	}
}

static void ways_out_and_next_hops(void **state)
{
	static const struct {
		const char *from, *to, *hop;
		int error;
		bool is_local;
	} cases[] = {
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", 0, true},
		{"10.1.0.1", "10.1.0.1", "10.1.0.1", 0, true},
		{"10.1.0.1", "10.1.0.7", "10.1.0.7", 0, false},
		{"10.1.0.1", "10.2.3.4", "10.1.0.254", 0, false},
		{"10.1.0.1", "10.9.0.1", NULL, -ENETUNREACH, false},
		{"::1", "::1", "::1", 0, true},
		{"fd00:1::1", "fd00:1::7", "fd00:1::7", 0, false},
		{"fd00:1::1", "fd00:2::4", "fd00:1::fe", 0, false},
	};
	(void)state;
	namespace_need();
	struct mnl_socket *socket = route_open();
	assert_non_null(socket);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct endpoint from = endpoint_of(cases[i].from), to = endpoint_of(cases[i].to);
		struct route route;
		assert_int_equal(route_find(socket, &to, &from, &route), cases[i].error);
		if (cases[i].error != 0)
			continue;
		struct endpoint hop = endpoint_of(cases[i].hop);
		assert_int_equal(route.is_local, cases[i].is_local);
		assert_int_not_equal(route.ifindex, 0);
		assert_memory_equal(route.next_hop.ip, hop.ip, sizeof(hop.ip));
	}
	route_close(socket);
}

static void interfaces_in_a_bridge_are_left_out(void **state)
{
	unsigned indexes[8];
	(void)state;
	namespace_need();
	struct mnl_socket *socket = route_open();
	/* one, two, three, bridge. */
	assert_int_equal(route_interfaces(socket, indexes, ARRAY_LENGTH(indexes)), 4);
	assert_int_equal(route_interfaces(socket, indexes, 1), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(route_interface_is_veth_outward(socket, indexes[i]), 0);
	assert_true(route_interface_is_veth_outward(socket, 99999) < 0);
	route_close(socket);
}

static void a_change_is_reported(void **state)
{
	char byte;
	(void)state;
	namespace_need();
	struct mnl_socket *monitor = route_monitor_open();
	assert_non_null(monitor);
	route_monitor_drain(monitor);
	assert_true(recv(route_monitor_fd(monitor), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
	ip("route add 10.3.0.0/16 via 10.1.0.254");
	assert_true(recv(route_monitor_fd(monitor), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
	route_monitor_drain(monitor);
	assert_true(recv(route_monitor_fd(monitor), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
	route_close(monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_out_and_next_hops),
		cmocka_unit_test(interfaces_in_a_bridge_are_left_out),
		cmocka_unit_test(a_change_is_reported),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
