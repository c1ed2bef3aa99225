/* The channel between a master and its worker, and asking a process that is none of ours. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "start/handover.h"

static void the_channel_is_found_once(void **state)
{
	int ends[2];
	(void)state;
	assert_int_equal(handover_channel_find(), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	handover_channel_pass(ends[1]);
	assert_int_equal(fcntl(ends[1], F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(handover_channel_find(), ends[1]);
	assert_int_equal(fcntl(ends[1], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(handover_channel_find(), -1);
	close(ends[0]);
	close(ends[1]);
	const char *const useless[] = {"", "x", "-1", "3x", "99999999999", "1000000"};
	for (size_t i = 0; i < ARRAY_LENGTH(useless); i++) {
		setenv("SPLICED_MASTER_FD", useless[i], 1);
		assert_int_equal(handover_channel_find(), -1);
	}
	unsetenv("SPLICED_MASTER_FD");
}

static void orders_arrive_with_their_descriptor(void **state)
{
	static struct handover_order order = {.kind = HANDOVER_CLIENT}, got;
	int ends[2], pipe_ends[2];
	char byte = 0;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(handover_order_receive(ends[1], &got), -EAGAIN);
	snprintf(order.text, sizeof(order.text), "show info");
	order.fd = pipe_ends[1];
	assert_int_equal(handover_order_send(ends[0], &order), 0);
	order = (struct handover_order){.kind = HANDOVER_EVENT, .fd = -1, .text = "said"};
	assert_int_equal(handover_order_send(ends[0], &order), 0);
	assert_int_equal(handover_order_receive(ends[1], &got), 0);
	assert_int_equal(got.kind, HANDOVER_CLIENT);
	assert_string_equal(got.text, "show info");
	assert_int_equal(write(got.fd, "x", 1), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	assert_int_equal(fcntl(got.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(got.fd);
	assert_int_equal(handover_order_receive(ends[1], &got), 0);
	assert_int_equal(got.kind, HANDOVER_EVENT);
	assert_int_equal(got.fd, -1);
	assert_int_equal(write(ends[0], "short", 5), 5);
	assert_int_equal(handover_order_receive(ends[1], &got), -EPROTO);
	close(ends[0]);
	assert_int_equal(handover_order_receive(ends[1], &got), -ECONNRESET);
	close(ends[1]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void who_does_not_answer_as_wanted_is_refused(void **state)
{
	struct socket_set set = {0};
	(void)state;
	log_set_stderr_level(-1);
	assert_int_equal(handover_ask("/nonexistent/socket", &set), -ENOENT);
	assert_int_equal(handover_ask("127.0.0.1:1", &set), -EINVAL);
	assert_int_equal(handover_ask("", &set), -EINVAL);
	assert_int_equal(set.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_channel_is_found_once),
		cmocka_unit_test(orders_arrive_with_their_descriptor),
		cmocka_unit_test(who_does_not_answer_as_wanted_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
