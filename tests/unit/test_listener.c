/* Listening sockets: what is opened, inherited, refused, and cleaned up. */
#include "net/listener.h"

#include <sys/stat.h>

#include "net_fixtures.h"

static char scratch[64];

static int scratch_create(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/test_listener.XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
	(void)state;
	return rmdir(scratch);
}

static const char *scratch_path(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

static bool path_exists(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

static void each_worker_has_a_socket_of_its_own_on_one_port(void **state)
{
	const char *texts[] = {"127.0.0.1", "[::1]"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct net_fixture fixture;
		fixture_init(&fixture, texts[i]);
		assert_int_equal(fixture_open(&fixture, 3), 0);
		struct listener *listener = fixture.frontend->listeners;
		assert_int_equal(listener->sockets_count, 3);
		for (unsigned w = 0; w < 3; w++) {
			struct address local = {.len = sizeof(struct sockaddr_un)};
			int fd = listener->sockets[w];
			assert_int_equal(getsockname(fd, &local.any, &local.len), 0);
			assert_int_equal(address_port(&local), listener->local.port);
			assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
			assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
			assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		}
		assert_true(listener->sockets[0] != listener->sockets[1]);
		assert_string_equal(listener->name, "sock-1");
		fixture_close(&fixture);
	}
}

static void shards_are_shared_among_the_workers(void **state)
{
	const struct {
		unsigned shards, workers, sockets;
	} cases[] = {{0, 4, 4}, {1, 4, 1}, {2, 4, 2}, {3, 4, 3}, {9, 4, 4}, {1, 1, 1}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct net_fixture fixture;
		fixture_init(&fixture, "127.0.0.1");
		fixture.bind.shards = cases[i].shards;
		unsigned before = fixture_fds_open();
		assert_int_equal(fixture_open(&fixture, cases[i].workers), 0);
		const struct listener *listener = fixture.frontend->listeners;
		assert_int_equal(listener->sockets_count, cases[i].sockets);
		assert_int_equal(fixture_fds_open(), before + cases[i].sockets);
		for (unsigned w = 0; w < cases[i].workers; w++)
			assert_int_equal(
				listener->sockets[w], listener->sockets[w % listener->sockets_count]);
		listener_close_all(fixture.frontend);
		assert_int_equal(fixture_fds_open(), before);
		assert_int_equal(listener->sockets[cases[i].workers - 1], -1);
		fixture_close(&fixture);
	}
}

static void accepted_sockets_inherit_the_options(void **state)
{
	struct net_fixture fixture;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	fixture.proxy.client_keepalive = (struct config_keepalive){.is_on = true, .idle_s = 33};
	fixture.bind.tcp_user_timeout_ms = 7000;
	fixture.bind.mss = 1000;
	fixture.bind.congestion = "reno";
	fixture.bind.has_tfo = true;
	fixture.global.client_rcvbuf = 50000;
	fixture.global.client_sndbuf = 60000;
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	FD_AUTO int fd = accept(fixture.frontend->listeners->sockets[0], NULL, NULL);
	assert_true(client >= 0 && fd >= 0);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_OOBINLINE), 1);
	assert_string_equal(fixture_congestion(fd), "reno");
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
	assert_in_range(fixture_option(fd, IPPROTO_TCP, TCP_MAXSEG), 900, 1000);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_RCVBUF), 100000);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_SNDBUF), 120000);
	fixture_close(&fixture);
}

static void names_are_given_or_numbered(void **state)
{
	struct net_fixture fixture;
	struct config_bind second, third;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	fixture_bind_init(&second, "127.0.0.1");
	fixture_bind_init(&third, "127.0.0.1");
	second.name = "public";
	third.id = 40;
	fixture.bind.next = &second;
	second.next = &third;
	assert_int_equal(fixture_open(&fixture, 1), 0);
	const struct listener *listener = fixture.frontend->listeners;
	assert_string_equal(listener->name, "sock-1");
	assert_string_equal(listener->next->name, "public");
	assert_string_equal(listener->next->next->name, "sock-40");
	assert_null(listener->next->next->next);
	fixture_close(&fixture);
}

static void a_taken_port_is_refused_in_words_and_nothing_stays_open(void **state)
{
	struct net_fixture fixture;
	struct config_bind second;
	char expected[256];
	struct address taken = fixture_address("127.0.0.1");
	FD_AUTO int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)state;
	assert_int_equal(bind(foreign, &taken.any, taken.len), 0);
	assert_int_equal(listen(foreign, 1), 0);
	assert_int_equal(getsockname(foreign, &taken.any, &taken.len), 0);
	fixture_init(&fixture, "127.0.0.1");
	fixture_bind_init(&second, "127.0.0.1");
	second.address = taken;
	second.place = (struct config_place){"a.cfg", 7};
	fixture.bind.next = &second;
	unsigned before = fixture_fds_open();
	assert_int_equal(fixture_open(&fixture, 2), -EADDRINUSE);
	assert_int_equal(fixture_fds_open(), before);
	assert_null(fixture.frontend->listeners);
	snprintf(expected, sizeof(expected),
		"cannot bind socket (Address already in use) for [127.0.0.1:%u], from [a.cfg:7]",
		address_port(&taken));
	assert_string_equal(fixture.reason, expected);
	fixture_close(&fixture);
}

static void a_foreign_address_needs_transparent(void **state)
{
	struct net_fixture fixture;
	(void)state;
	fixture_init(&fixture, "192.0.2.1");
	assert_int_equal(fixture_open(&fixture, 1), -EADDRNOTAVAIL);
	assert_non_null(strstr(fixture.reason, "Cannot assign requested address"));
	fixture_close(&fixture);
	fixture.bind.is_transparent = true;
	assert_int_equal(fixture_open(&fixture, 1), 0);
	fixture_close(&fixture);
}

static void an_unknown_interface_is_refused(void **state)
{
	struct net_fixture fixture;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	fixture.bind.interface = "nosuchdevice";
	assert_int_equal(fixture_open(&fixture, 1), -ENODEV);
	assert_non_null(strstr(fixture.reason, "cannot bind to the interface"));
	fixture_close(&fixture);
}

static void a_privileged_port_without_privilege_gets_a_hint(void **state)
{
	struct net_fixture fixture;
	uid_t uid = geteuid();
	(void)state;
	fixture_init(&fixture, "127.0.0.1:79");
	if (uid == 0 && seteuid(65534) != 0)
		skip();
	int error = fixture_open(&fixture, 1);
	assert_int_equal(seteuid(uid), 0);
	/* Machines may lower the first unprivileged port. */
	if (error != -EACCES) {
		fixture_close(&fixture);
		skip();
	}
	assert_non_null(strstr(fixture.reason, "cannot bind socket (Permission denied) for [127.0.0.1:79]"));
	assert_non_null(strstr(fixture.reason, "CAP_NET_BIND_SERVICE"));
	fixture_close(&fixture);
}

static void v6only_and_v4v6_decide_about_v4_clients(void **state)
{
	const struct {
		bool is_v6only, is_v4v6;
		int answer;
	} cases[] = {{true, false, -ECONNREFUSED}, {false, true, 0}, {true, true, -ECONNREFUSED}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct net_fixture fixture;
		fixture_init(&fixture, "[::]");
		fixture.bind.is_v6only = cases[i].is_v6only;
		fixture.bind.is_v4v6 = cases[i].is_v4v6;
		assert_int_equal(fixture_open(&fixture, 1), 0);
		struct address target = fixture_address("127.0.0.1");
		address_set_port(&target, fixture.frontend->listeners->local.port);
		int fd = fixture_connect(&target);
		assert_int_equal(fd < 0 ? fd : 0, cases[i].answer);
		if (fd >= 0)
			close(fd);
		fixture_close(&fixture);
	}
}

/* The listener's sockets as another process gets them. */
static void sockets_offer(const struct net_fixture *fixture, struct socket_set *set)
{
	assert_int_equal(listener_offer(fixture->frontend->listeners, set), 0);
}

static void all_sockets_bound_before_are_taken_however_many_workers_there_are(void **state)
{
	const unsigned counts[][2] = {{4, 1}, {3, 2}, {2, 2}, {1, 3}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
		struct net_fixture before, after;
		struct socket_set set = {0};
		unsigned wanted = counts[i][0] > counts[i][1] ? counts[i][0] : counts[i][1], rounds = 0;
		fixture_init(&before, "127.0.0.1");
		assert_int_equal(fixture_open(&before, counts[i][0]), 0);
		sockets_offer(&before, &set);
		assert_int_equal(set.count, counts[i][0]);
		fixture_init(&after, "127.0.0.1");
		after.bind.address = fixture_target(&before);
		assert_int_equal(frontend_create(&after.proxy, counts[i][1], 1000, &after.frontend), 0);
		after.frontend->bound_before = &set;
		assert_int_equal(
			listener_open_all(after.frontend, &after.global, after.reason, sizeof(after.reason)),
			0);
		const struct listener *listener = after.frontend->listeners;
		assert_int_equal(listener->sockets_count, wanted);
		for (unsigned worker = 0; worker < counts[i][1]; worker++)
			rounds += listener_rounds(listener, worker);
		assert_int_equal(rounds, wanted);
		fixture_close(&before);
		struct address target = fixture_target(&after);
		FD_AUTO int client = fixture_connect(&target);
		assert_true(client >= 0);
		fixture_close(&after);
		socket_set_release(&set);
	}
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void options_that_are_wanted_no_more_are_taken_away(void **state)
{
	struct net_fixture before, after;
	struct socket_set set = {0};
	(void)state;
	fixture_init(&before, "127.0.0.1");
	before.proxy.client_keepalive.is_on = true;
	before.bind.mss = 700;
	before.bind.defer_accept_s = 30;
	before.bind.tcp_user_timeout_ms = 1234;
	assert_int_equal(fixture_open(&before, 1), 0);
	sockets_offer(&before, &set);
	fixture_init(&after, "127.0.0.1");
	after.bind.address = fixture_target(&before);
	after.bind.mss = 800;
	assert_int_equal(frontend_create(&after.proxy, 1, 1000, &after.frontend), 0);
	after.frontend->bound_before = &set;
	assert_int_equal(
		listener_open_all(after.frontend, &after.global, after.reason, sizeof(after.reason)), 0);
	int fd = after.frontend->listeners->sockets[0];
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_MAXSEG), 800);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_false(after.frontend->listeners->is_inherited);
	fixture_close(&before);
	fixture_close(&after);
	socket_set_release(&set);
}

static void the_file_of_a_socket_taken_over_is_removed_by_its_owner_only(void **state)
{
	struct net_fixture before, after;
	struct socket_set set = {0};
	const char *path = scratch_path("passed");
	(void)state;
	fixture_init(&before, path);
	fixture_init(&after, path);
	assert_int_equal(fixture_open(&before, 2), 0);
	sockets_offer(&before, &set);
	assert_int_equal(frontend_create(&after.proxy, 2, 1000, &after.frontend), 0);
	after.frontend->bound_before = &set;
	after.bind.unix_mode = 0600;
	assert_int_equal(
		listener_open_all(after.frontend, &after.global, after.reason, sizeof(after.reason)), 0);
	struct stat status;
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* A successor that fails leaves it to the process before. */
	fixture_close(&after);
	assert_true(path_exists(path));
	listener_own_file(before.frontend->listeners, false);
	fixture_close(&before);
	assert_true(path_exists(path));
	assert_int_equal(unlink(path), 0);
	socket_set_release(&set);
}

static void a_unix_socket_has_its_mode_and_goes_with_the_listener(void **state)
{
	struct net_fixture fixture;
	struct stat status;
	const char *path = scratch_path("plain");
	(void)state;
	fixture_init(&fixture, path);
	fixture.bind.unix_mode = 0640;
	assert_int_equal(fixture_open(&fixture, 3), 0);
	const struct listener *listener = fixture.frontend->listeners;
	assert_int_equal(listener->sockets_count, 1);
	assert_int_equal(listener->sockets[2], listener->sockets[0]);
	assert_string_equal(listener->address_text, path);
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	assert_true(client >= 0);
	listener_close_all(fixture.frontend);
	assert_false(path_exists(path));
	fixture_close(&fixture);
}

static void a_dead_socket_file_is_replaced(void **state)
{
	struct net_fixture fixture;
	const char *path = scratch_path("dead");
	struct address address = fixture_address(path);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(bind(dead, &address.any, address.len), 0);
	close(dead);
	fixture_init(&fixture, path);
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	assert_true(client >= 0);
	fixture_close(&fixture);
	assert_false(path_exists(path));
}

static void a_path_that_is_no_socket_is_left_alone(void **state)
{
	struct net_fixture fixture;
	const char *path = scratch_path("file");
	(void)state;
	int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
	fixture_init(&fixture, path);
	assert_int_equal(fixture_open(&fixture, 1), -EEXIST);
	assert_non_null(strstr(fixture.reason, "not a socket"));
	assert_non_null(strstr(fixture.reason, path));
	assert_true(path_exists(path));
	fixture_close(&fixture);
	assert_int_equal(unlink(path), 0);
}

static void a_successors_socket_file_is_not_removed(void **state)
{
	struct net_fixture old, new;
	const char *path = scratch_path("successor");
	(void)state;
	fixture_init(&old, path);
	fixture_init(&new, path);
	assert_int_equal(fixture_open(&old, 1), 0);
	assert_int_equal(fixture_open(&new, 1), 0);
	fixture_close(&old);
	struct address target = fixture_target(&new);
	FD_AUTO int client = fixture_connect(&target);
	assert_true(client >= 0);
	fixture_close(&new);
	assert_false(path_exists(path));
}

static void unix_failures_leave_no_files(void **state)
{
	struct net_fixture fixture;
	char path[108];
	(void)state;
	fixture_init(&fixture, "/nonexistent/directory/s");
	assert_int_equal(fixture_open(&fixture, 1), -ENOENT);
	assert_non_null(strstr(fixture.reason, "cannot bind UNIX socket (No such file or directory)"));
	fixture_close(&fixture);

	int at = snprintf(path, sizeof(path), "%s/", scratch);
	memset(path + at, 'x', sizeof(path) - 1 - (size_t)at);
	path[sizeof(path) - 1] = '\0';
	fixture_init(&fixture, path);
	assert_int_equal(fixture_open(&fixture, 1), -ENAMETOOLONG);
	assert_non_null(strstr(fixture.reason, "too long"));
	fixture_close(&fixture);
}

static void an_abstract_socket_listens(void **state)
{
	struct net_fixture fixture, second;
	(void)state;
	fixture_init(&fixture, "abns@test_listener");
	fixture_init(&second, "abns@test_listener");
	assert_int_equal(fixture_open(&fixture, 2), 0);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	assert_true(client >= 0);
	assert_int_equal(fixture_open(&second, 1), -EADDRINUSE);
	fixture_close(&second);
	fixture_close(&fixture);
}

static void an_inherited_socket_is_taken_over(void **state)
{
	struct net_fixture fixture;
	struct address address = fixture_address("127.0.0.1");
	char text[16];
	int inherited = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(bind(inherited, &address.any, address.len), 0);
	snprintf(text, sizeof(text), "fd@%d", inherited);
	fixture_init(&fixture, text);
	assert_int_equal(fixture_open(&fixture, 2), 0);
	const struct listener *listener = fixture.frontend->listeners;
	assert_int_equal(listener->sockets[0], inherited);
	assert_int_equal(listener->sockets[1], inherited);
	assert_int_equal(fcntl(inherited, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(inherited, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(listener->local.port > 0);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	assert_true(client >= 0);
	fixture_close(&fixture);
	assert_int_equal(fcntl(inherited, F_GETFD), -1);
}

static void an_inherited_descriptor_that_does_not_serve_is_refused(void **state)
{
	struct net_fixture fixture;
	char text[16];
	(void)state;
	fixture_init(&fixture, "fd@1000");
	assert_int_equal(fixture_open(&fixture, 1), -EBADF);
	assert_non_null(strstr(fixture.reason, "[fd@1000]"));
	fixture_close(&fixture);
	int datagram = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(text, sizeof(text), "fd@%d", datagram);
	fixture_init(&fixture, text);
	assert_int_equal(fixture_open(&fixture, 1), -EPROTOTYPE);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_a_socket_of_its_own_on_one_port),
		cmocka_unit_test(shards_are_shared_among_the_workers),
		cmocka_unit_test(accepted_sockets_inherit_the_options),
		cmocka_unit_test(names_are_given_or_numbered),
		cmocka_unit_test(a_taken_port_is_refused_in_words_and_nothing_stays_open),
		cmocka_unit_test(a_foreign_address_needs_transparent),
		cmocka_unit_test(an_unknown_interface_is_refused),
		cmocka_unit_test(a_privileged_port_without_privilege_gets_a_hint),
		cmocka_unit_test(v6only_and_v4v6_decide_about_v4_clients),
		cmocka_unit_test(a_unix_socket_has_its_mode_and_goes_with_the_listener),
		cmocka_unit_test(a_dead_socket_file_is_replaced),
		cmocka_unit_test(a_path_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_successors_socket_file_is_not_removed),
		cmocka_unit_test(unix_failures_leave_no_files),
		cmocka_unit_test(an_abstract_socket_listens),
		cmocka_unit_test(an_inherited_socket_is_taken_over),
		cmocka_unit_test(all_sockets_bound_before_are_taken_however_many_workers_there_are),
		cmocka_unit_test(options_that_are_wanted_no_more_are_taken_away),
		cmocka_unit_test(the_file_of_a_socket_taken_over_is_removed_by_its_owner_only),
		cmocka_unit_test(an_inherited_descriptor_that_does_not_serve_is_refused),
	};
	return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
