/* Connecting to servers on every kind of address, from every kind of source. */
#include "net/connector.h"

#include <poll.h>

#include "net/source_address.h"
#include "net_fixtures.h"

enum { RANGE_FIRST = 42100, RANGE_LAST = 42103 };

/* Opens and waits for the outcome. */
static int connect_wait(const struct connect_request *request, int *ret_fd)
{
	int answer = connector_open(request, ret_fd);
	if (answer != -EINPROGRESS)
		return answer;
	struct pollfd waiting = {.fd = *ret_fd, .events = POLLOUT};
	assert_int_equal(poll(&waiting, 1, 5000), 1);
	return connector_result(*ret_fd);
}

static void every_kind_of_address_can_be_reached(void **state)
{
	char path[64];
	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_connector.%d", (int)getpid());
	const char *texts[] = {"127.0.0.1", "[::1]", path, "abns@test_connector"};
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct net_fixture fixture;
		int fd = -1;
		fixture_init(&fixture, texts[i]);
		assert_int_equal(fixture_open(&fixture, 1), 0);
		struct address target = fixture_target(&fixture);
		const struct config_keepalive keepalive = {.is_on = true, .idle_s = 11};
		const struct connect_request request = {.destination = &target,
			.keepalive = &keepalive,
			.user_timeout_ms = 4000,
			.congestion = "reno"};
		assert_int_equal(connect_wait(&request, &fd), 0);
		assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		if (target.any.sa_family != AF_UNIX) {
			assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
			assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_OOBINLINE), 1);
			assert_string_equal(fixture_congestion(fd), "reno");
			assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 11);
			assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4000);
		}
		close(fd);
		fixture_close(&fixture);
	}
}

static void refusal_is_told_and_leaves_no_descriptor(void **state)
{
	const char *texts[] = {"127.0.0.1", "[::1]"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct net_fixture fixture;
		int fd = -1;
		fixture_init(&fixture, texts[i]);
		assert_int_equal(fixture_open(&fixture, 1), 0);
		struct address target = fixture_target(&fixture);
		fixture_close(&fixture);
		const struct connect_request request = {.destination = &target};
		assert_int_equal(connect_wait(&request, &fd), -ECONNREFUSED);
		fd_close(&fd);
	}
	struct address nowhere = fixture_address("/tmp/test_connector.nowhere");
	const struct connect_request request = {.destination = &nowhere};
	int untouched = -7;
	unsigned before = fixture_fds_open();
	assert_int_equal(connector_open(&request, &untouched), -ENOENT);
	assert_int_equal(untouched, -7);
	assert_int_equal(fixture_fds_open(), before);
}

static void a_full_unix_backlog_says_again(void **state)
{
	struct net_fixture fixture;
	int fds[8];
	(void)state;
	fixture_init(&fixture, "abns@test_connector_full");
	fixture.bind.backlog = 1;
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	const struct connect_request request = {.destination = &target};
	unsigned made = 0;
	int answer = 0;
	while (made < ARRAY_LENGTH(fds) && (answer = connector_open(&request, &fds[made])) == 0)
		made++;
	assert_int_equal(answer, -EAGAIN);
	while (made > 0)
		close(fds[--made]);
	fixture_close(&fixture);
}

static struct address local_of(int fd)
{
	struct address local = {.len = sizeof(struct sockaddr_un)};
	assert_int_equal(getsockname(fd, &local.any, &local.len), 0);
	return local;
}

static void a_source_address_is_used(void **state)
{
	struct net_fixture fixture;
	int fd = -1;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	struct config_source_address source = {.is_set = true, .address = fixture_address("127.0.0.77")};
	const struct connect_request request = {.destination = &target, .source = &source};
	assert_int_equal(connect_wait(&request, &fd), 0);
	struct address local = local_of(fd);
	assert_int_equal(ntohl(local.v4.sin_addr.s_addr), 0x7f00004d);
	close(fd);
	source.address = fixture_address("[::1]");
	assert_int_equal(connector_open(&request, &fd), -EAFNOSUPPORT);
	source.address = fixture_address("192.0.2.1");
	assert_int_equal(connector_open(&request, &fd), -EADDRNOTAVAIL);
	source = (struct config_source_address){.interface = "nosuchdevice"};
	assert_int_equal(connector_open(&request, &fd), -ENODEV);
	fixture_close(&fixture);
}

/* 127.0.0.78 is the test's own, so nobody else has ports there. */
static void a_port_range_is_used_up_and_no_further(void **state)
{
	struct net_fixture fixture;
	int fds[RANGE_LAST - RANGE_FIRST + 1], extra = -1;
	unsigned seen = 0;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	const struct config_source_address source = {.is_set = true,
		.address = fixture_address("127.0.0.78"),
		.port_first = RANGE_FIRST,
		.port_last = RANGE_LAST};
	const struct connect_request request = {.destination = &target, .source = &source};
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
		assert_int_equal(connect_wait(&request, &fds[i]), 0);
		struct address local = local_of(fds[i]);
		assert_in_range(address_port(&local), RANGE_FIRST, RANGE_LAST);
		seen |= 1u << (address_port(&local) - RANGE_FIRST);
	}
	assert_int_equal(seen, 0xf);
	unsigned before = fixture_fds_open();
	assert_int_equal(connector_open(&request, &extra), -EADDRNOTAVAIL);
	assert_int_equal(fixture_fds_open(), before);

	struct net_fixture other;
	fixture_init(&other, "127.0.0.1");
	assert_int_equal(fixture_open(&other, 1), 0);
	target = fixture_target(&other);
	/* The same ports serve once more for another server. */
	assert_int_equal(connect_wait(&request, &extra), 0);
	close(extra);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		close(fds[i]);
	fixture_close(&other);
	fixture_close(&fixture);
}

/* A socket of the test's own that listens, for what must be accepted. */
static int listen_plainly(struct address *ret_target)
{
	struct address any = fixture_address("127.0.0.1");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &any.any, any.len), 0);
	assert_int_equal(listen(fd, 16), 0);
	*ret_target = local_of(fd);
	return fd;
}

/* Our end is closed first, so that it is our port that rests in TIME_WAIT. */
static unsigned connect_and_close_first(int listener, const struct connect_request *request)
{
	int fd = -1;
	char byte;
	assert_int_equal(connect_wait(request, &fd), 0);
	int peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	struct address local = local_of(fd);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
	close(peer);
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&waiting, 1, 5000), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	return address_port(&local);
}

/* Of the system's range (by IP_LOCAL_PORT_RANGE) and out of it (by hand). */
static void ports_that_rest_are_used_again(void **state)
{
	static const uint16_t firsts[] = {42104, 31300};
	struct address target;
	(void)state;
	int listener = listen_plainly(&target);
	for (size_t i = 0; i < ARRAY_LENGTH(firsts); i++) {
		const struct config_source_address source = {.is_set = true,
			.address = fixture_address("127.0.0.79"),
			.port_first = firsts[i],
			.port_last = (uint16_t)(firsts[i] + 1)};
		const struct connect_request request = {.destination = &target, .source = &source};
		for (unsigned turn = 0; turn < 12; turn++)
			assert_in_range(connect_and_close_first(listener, &request), source.port_first,
				source.port_last);
	}
	close(listener);
}

static void a_port_of_the_range_that_somebody_listens_at_is_passed_over(void **state)
{
	struct net_fixture fixture, other;
	int fd = -1;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	assert_int_equal(fixture_open(&fixture, 1), 0);
	fixture_init(&other, "127.0.0.80:31310");
	assert_int_equal(fixture_open(&other, 1), 0);
	struct address target = fixture_target(&fixture);
	const struct config_source_address source = {.is_set = true,
		.address = fixture_address("127.0.0.80"),
		.port_first = 31310,
		.port_last = 31311};
	const struct connect_request request = {.destination = &target, .source = &source};
	assert_int_equal(connect_wait(&request, &fd), 0);
	struct address local = local_of(fd);
	assert_int_equal(address_port(&local), 31311);
	int extra = -1;
	assert_int_equal(connector_open(&request, &extra), -EADDRNOTAVAIL);
	close(fd);
	fixture_close(&other);
	fixture_close(&fixture);
}

static void any_source_goes_with_servers_of_both_families(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "[::1]"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct net_fixture fixture;
		int fd = -1;
		fixture_init(&fixture, texts[i]);
		assert_int_equal(fixture_open(&fixture, 1), 0);
		struct address target = fixture_target(&fixture);
		const struct config_source_address source = {
			.is_set = true, .address = fixture_address("0.0.0.0"), .port_first = 31320};
		const struct connect_request request = {.destination = &target, .source = &source};
		assert_int_equal(connect_wait(&request, &fd), 0);
		struct address local = local_of(fd);
		assert_int_equal(address_port(&local), 31320);
		close(fd);
		fixture_close(&fixture);
	}
}

struct usesrc_case {
	const char *what;
	enum config_usesrc usesrc;
	const char *client; /* NULL: a check */
	uint32_t address; /* that the server sees */
	uint16_t port; /* 0: any */
};

/* 127.0.0.0/8 is all this host's, so that the answers come back; a lab shows strangers'. */
static const struct usesrc_case usesrc_cases[] = {
	{"the client's address and port", CONFIG_USESRC_CLIENT, "127.1.2.3:31330", 0x7f010203, 31330},
	{"the client's address, another port", CONFIG_USESRC_CLIENT_IP, "127.1.2.4:31331", 0x7f010204, 0},
	{"an IPv4 client of an IPv6 listener", CONFIG_USESRC_CLIENT_IP, "[::ffff:127.1.2.5]:1", 0x7f010205,
		0},
	{"an IPv6 client is not shown", CONFIG_USESRC_CLIENT_IP, "[2001:db8::1]:1", 0x7f000051, 0},
	{"an address that is given", CONFIG_USESRC_ADDRESS, "127.1.2.6:9", 0x7f01ff01, 31332},
	{"a check comes from the first address", CONFIG_USESRC_ADDRESS, NULL, 0x7f000051, 0},
};

static void the_server_sees_whom_usesrc_names(void **state)
{
	struct net_fixture fixture;
	(void)state;
	struct config_source_address source = {.is_set = true,
		.address = fixture_address("127.0.0.81"),
		.usesrc = CONFIG_USESRC_CLIENT,
		.usesrc_address = fixture_address("127.1.255.1:31332")};
	if (source_usesrc_check(&source) == -EPERM)
		skip(); /* needs CAP_NET_ADMIN or CAP_NET_RAW */
	fixture_init(&fixture, "127.0.0.1");
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(usesrc_cases); i++) {
		const struct usesrc_case *row = &usesrc_cases[i];
		struct endpoint client = {0};
		int fd = -1;
		source.usesrc = row->usesrc;
		if (row->client != NULL) {
			struct address address = fixture_address(row->client);
			endpoint_from_address(&address, &client);
		}
		const struct connect_request request = {.destination = &target,
			.source = &source,
			.client = row->client != NULL ? &client : NULL};
		print_message("%s\n", row->what);
		assert_int_equal(connect_wait(&request, &fd), 0);
		struct address local = local_of(fd);
		assert_int_equal(ntohl(local.v4.sin_addr.s_addr), row->address);
		if (row->port != 0)
			assert_int_equal(address_port(&local), row->port);
		close(fd);
	}
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_address_can_be_reached),
		cmocka_unit_test(refusal_is_told_and_leaves_no_descriptor),
		cmocka_unit_test(a_full_unix_backlog_says_again),
		cmocka_unit_test(a_source_address_is_used),
		cmocka_unit_test(a_port_range_is_used_up_and_no_further),
		cmocka_unit_test(ports_that_rest_are_used_again),
		cmocka_unit_test(a_port_of_the_range_that_somebody_listens_at_is_passed_over),
		cmocka_unit_test(any_source_goes_with_servers_of_both_families),
		cmocka_unit_test(the_server_sees_whom_usesrc_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
