/* Queues of real sockets on loopback: connections not yet accepted, bytes not yet read. */
#include "queues.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BACKLOG = 7, CLIENTS = 3, BYTES = 1000 };

static int listener_open(sa_family_t family, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	*ret_len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	if (bind(fd, address, *ret_len) != 0 || listen(fd, BACKLOG) != 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, ret_len), 0);
	return fd;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
						   : ((const struct sockaddr_in6 *)address)->sin6_port);
}

static void bytes_wait(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, 10000), 1);
}

static void queues_are_seen(sa_family_t family)
{
	static const char bytes[BYTES];
	struct sockaddr_storage address;
	socklen_t len;
	struct queues queues;
	struct queues_reading reading;
	int clients[CLIENTS];
	int listener = listener_open(family, &address, &len);
	if (listener < 0)
		skip(); /* this machine lacks the family */
	int folder_fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(queues_init(&queues, folder_fd, port_of(&address)), 0);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&address, len), 0);
	}
	int accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(send(clients[0], bytes, BYTES, MSG_NOSIGNAL), BYTES);
	bytes_wait(accepted);

	assert_int_equal(queues_read(&queues, &reading), 0);
	assert_int_equal(reading.listeners, 1);
	assert_int_equal(reading.accept_queue, CLIENTS - 1);
	assert_int_equal(reading.accept_queue_max, BACKLOG);
	assert_int_equal(reading.connections, CLIENTS); /* those not accepted too */
	assert_int_equal(reading.receive_queue_bytes, BYTES);
	assert_int_equal(reading.send_queue_bytes, 0);

	close(accepted);
	close(listener);
	for (size_t i = 0; i < CLIENTS; i++)
		close(clients[i]);
	assert_int_equal(queues_read(&queues, &reading), 0);
	assert_int_equal(reading.listeners, 0);
	assert_int_equal(reading.accept_queue, 0);
	queues_release(&queues);
	close(folder_fd);
}

static void queues_of_ipv4_sockets_are_seen(void **state)
{
	(void)state;
	queues_are_seen(AF_INET);
}

static void queues_of_ipv6_sockets_are_seen(void **state)
{
	(void)state;
	queues_are_seen(AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_of_ipv4_sockets_are_seen),
		cmocka_unit_test(queues_of_ipv6_sockets_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
