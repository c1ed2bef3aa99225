/* Which congestion control is chosen, and that sockets get it. */
#include "net/congestion.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "net_fixtures.h"

static struct address address_of(const char *text)
{
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;
	assert_int_equal(address_parse(text, &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, spec.port_first, &address), 0);
	return address;
}

/* The default of a network namespace of our own; false where that cannot be. */
static bool system_default_set(const char *name)
{
	FD_AUTO int fd = open("/proc/sys/net/ipv4/tcp_congestion_control", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name);
}

static void the_configured_one_is_taken(void **state)
{
	const struct address near = address_of("127.0.0.1:80"), far = address_of("192.0.2.1:80");
	(void)state;
	assert_string_equal(congestion_choose("vegas", &near), "vegas");
	assert_string_equal(congestion_choose("vegas", &far), "vegas");
}

static void loopback_is_not_paced(void **state)
{
	static const char *const near[] = {"127.0.0.1:80", "127.9.9.9:1", "[::1]:80"};
	static const char *const far[] = {"192.0.2.1:80", "[2001:db8::1]:80", "/run/x.sock", "*:80"};
	(void)state;
	if (unshare(CLONE_NEWNET) != 0 || !system_default_set("bbr")) {
		print_message("needs root and a kernel with BBR\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(near); i++) {
		const struct address address = address_of(near[i]);
		const char *name = congestion_choose(NULL, &address);
		assert_non_null(name);
		assert_int_equal(congestion_check(name), 0);
		assert_int_not_equal(strncmp(name, "bbr", 3), 0);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(far); i++) {
		const struct address address = address_of(far[i]);
		assert_null(congestion_choose(NULL, &address));
	}
	assert_true(system_default_set("reno"));
	const struct address address = address_of(near[0]);
	assert_null(congestion_choose(NULL, &address));
}

static void what_the_kernel_lacks_is_told(void **state)
{
	(void)state;
	assert_int_equal(congestion_check("reno"), 0);
	assert_int_equal(congestion_check("no-such-thing"), -ENOENT);
}

static void sockets_get_it_or_stay_as_they_are(void **state)
{
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FD_AUTO int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)state;
	char before[16];
	memcpy(before, fixture_congestion(fd), sizeof(before));
	assert_int_equal(congestion_set(fd, NULL), 0);
	assert_int_equal(congestion_set(fd, "no-such-thing"), -ENOENT);
	assert_string_equal(fixture_congestion(fd), before);
	assert_int_equal(congestion_set(fd, "reno"), 0);
	assert_string_equal(fixture_congestion(fd), "reno");
	assert_int_equal(congestion_set(local, "reno"), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configured_one_is_taken),
		cmocka_unit_test(what_the_kernel_lacks_is_told),
		cmocka_unit_test(sockets_get_it_or_stay_as_they_are),
		cmocka_unit_test(loopback_is_not_paced), /* last: it changes the network namespace */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
