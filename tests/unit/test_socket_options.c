/* Options arrive at the socket; unix sockets shrug them off. */
#include "net/socket_options.h"

#include <sys/socket.h>

#include "net_fixtures.h"

static void tcp_sockets_get_what_is_asked(void **state)
{
	const struct config_keepalive keepalive = {.is_on = true, .count = 3, .idle_s = 20, .interval_s = 7};
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(socket_options_nodelay(fd), 0);
	assert_int_equal(socket_options_keepalive(fd, &keepalive), 0);
	assert_int_equal(socket_options_user_timeout(fd, 12345), 0);
	assert_int_equal(socket_options_buffers(fd, 65536, 32768), 0);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 65536);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 32768);
}

static void zeroes_leave_the_kernels_choice(void **state)
{
	const struct config_keepalive off = {.count = 3};
	const struct config_keepalive plain = {.is_on = true};
	FD_AUTO int fd = socket(AF_INET6, SOCK_STREAM, 0);
	(void)state;
	int rcvbuf = fixture_option(fd, SOL_SOCKET, SO_RCVBUF);
	int count = fixture_option(fd, IPPROTO_TCP, TCP_KEEPCNT);
	assert_int_equal(socket_options_keepalive(fd, &off), 0);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(socket_options_keepalive(fd, &plain), 0);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(fixture_option(fd, IPPROTO_TCP, TCP_KEEPCNT), count);
	assert_int_equal(socket_options_user_timeout(fd, 0), 0);
	assert_int_equal(socket_options_buffers(fd, 0, 0), 0);
	assert_int_equal(fixture_option(fd, SOL_SOCKET, SO_RCVBUF), rcvbuf);
}

static void unix_sockets_take_everything_without_complaint(void **state)
{
	const struct config_keepalive keepalive = {.is_on = true, .count = 3, .idle_s = 20, .interval_s = 7};
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(socket_options_nodelay(fd), 0);
	assert_int_equal(socket_options_keepalive(fd, &keepalive), 0);
	assert_int_equal(socket_options_user_timeout(fd, 12345), 0);
	assert_int_equal(socket_options_buffers(fd, 65536, 32768), 0);
}

static void refusals_are_told(void **state)
{
	const struct config_keepalive absurd = {.is_on = true, .idle_s = 1000000};
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(socket_options_keepalive(fd, &absurd), -EINVAL);
	assert_int_equal(socket_options_nodelay(-1), -EBADF);
	assert_int_equal(socket_options_buffers(-1, 1, 1), -EBADF);
}

static void aborting_resets_the_peer(void **state)
{
	struct net_fixture fixture;
	char byte;
	(void)state;
	fixture_init(&fixture, "127.0.0.1");
	assert_int_equal(fixture_open(&fixture, 1), 0);
	struct address target = fixture_target(&fixture);
	FD_AUTO int client = fixture_connect(&target);
	int server = accept(fixture.frontend->listeners->sockets[0], NULL, NULL);
	assert_true(client >= 0 && server >= 0);
	socket_options_abort_on_close(server);
	close(server);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_sockets_get_what_is_asked),
		cmocka_unit_test(zeroes_leave_the_kernels_choice),
		cmocka_unit_test(unix_sockets_take_everything_without_complaint),
		cmocka_unit_test(refusals_are_told),
		cmocka_unit_test(aborting_resets_the_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
