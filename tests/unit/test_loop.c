/* What loop.h promises, over real descriptors: every back end passes this file. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "loop_seen.h"

static void edges_are_reported_once(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_READABLE);
	poke(seen.fds[1]);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.events, LOOP_READABLE);
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 1);
	poke(seen.fds[1]);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.calls, 2);
	seen_close(&seen);
}

static void a_level_is_repeated_until_it_is_used_up(void **state)
{
	struct seen seen;
	char byte;

	(void)state;
	seen_open(&seen, LOOP_READABLE | LOOP_LEVEL);
	poke(seen.fds[1]);
	for (unsigned i = 1; i <= 3; i++) {
		loop_run_once(loop, PASS_WAIT_MS);
		assert_int_equal(seen.calls, i);
	}
	assert_int_equal(read(seen.fds[0], &byte, 1), 1);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 3);
	seen_close(&seen);
}

static void writability_is_reported_with_the_start(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_READABLE | LOOP_WRITABLE);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_WRITABLE);
	seen_close(&seen);
}

static void a_half_close_of_the_peer_is_reported(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_READABLE);
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_READABLE | LOOP_PEER_CLOSED);
	seen_close(&seen);
}

static void a_full_hang_up_wakes_reader_and_writer(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, 0);
	fd_close(&seen.fds[1]);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.events, LOOP_PEER_CLOSED | LOOP_READABLE | LOOP_WRITABLE);
	seen_close(&seen);
}

static void a_broken_pipe_is_a_failure_to_write_about(void **state)
{
	struct seen seen = {.watch.fd = -1};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(loop_watch_add(loop, &seen.watch, ends[1], LOOP_WRITABLE, seen_ready), 0);
	fd_close(&ends[0]);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_FAILED | LOOP_READABLE | LOOP_WRITABLE);
	loop_watch_remove(loop, &seen.watch, true);
	fd_close(&ends[1]);
}

static void a_refused_connection_is_a_failure(void **state)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct seen seen = {.watch.fd = -1};
	FD_AUTO int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(nobody);

	(void)state;
	/* Bound and not listening: nobody else gets the port, and it refuses. */
	assert_int_equal(bind(holder, (struct sockaddr *)&nobody, len), 0);
	assert_int_equal(getsockname(holder, (struct sockaddr *)&nobody, &len), 0);
	(void)connect(fd, (struct sockaddr *)&nobody, len);
	assert_int_equal(loop_watch_add(loop, &seen.watch, fd, LOOP_WRITABLE, seen_ready), 0);
	for (unsigned i = 0; i < PASSES_MAX && !(seen.events & LOOP_FAILED); i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_true(seen.events & LOOP_FAILED);
	assert_true(seen.events & LOOP_WRITABLE);
	loop_watch_remove(loop, &seen.watch, true);
}

static void urgent_data_is_reported(void **state)
{
	struct seen seen = {.watch.fd = -1};

	(void)state;
	tcp_pair(seen.fds);
	assert_int_equal(loop_watch_add(loop, &seen.watch, seen.fds[0], LOOP_READABLE, seen_ready), 0);
	assert_int_equal(send(seen.fds[1], "!", 1, MSG_OOB), 1);
	for (unsigned i = 0; i < PASSES_MAX && !(seen.events & LOOP_URGENT); i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_true(seen.events & LOOP_URGENT);
	seen_close(&seen);
}

static void urgent_data_is_reported_to_a_parked_watch_too(void **state)
{
	struct seen seen = {.watch.fd = -1};

	(void)state;
	tcp_pair(seen.fds);
	assert_int_equal(loop_watch_add(loop, &seen.watch, seen.fds[0], 0, seen_ready), 0);
	loop_run_once(loop, 0);
	poke(seen.fds[1]);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(loop, 1);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(send(seen.fds[1], "!", 1, MSG_OOB), 1);
	for (unsigned i = 0; i < PASSES_MAX && seen.calls == 0; i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_URGENT);
	seen_close(&seen);
}

static void plain_data_is_not_called_urgent(void **state)
{
	struct seen seen = {.watch.fd = -1};

	(void)state;
	tcp_pair(seen.fds);
	assert_int_equal(loop_watch_add(loop, &seen.watch, seen.fds[0], LOOP_READABLE, seen_ready), 0);
	loop_run_once(loop, 0);
	poke(seen.fds[1]);
	for (unsigned i = 0; i < PASSES_MAX && seen.calls == 0; i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_READABLE);
	seen_close(&seen);
}

static void a_quiet_watch_hears_of_failures_hang_ups_and_what_it_asked_for_alone(void **state)
{
	const struct linger at_once = {.l_onoff = 1};
	struct seen seen = {.watch.fd = -1};

	(void)state;
	tcp_pair(seen.fds);
	assert_int_equal(loop_watch_add(loop, &seen.watch, seen.fds[0], LOOP_QUIET, seen_ready), 0);
	loop_run_once(loop, 0);
	poke(seen.fds[1]);
	assert_int_equal(send(seen.fds[1], "!", 1, MSG_OOB), 1);
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(loop, 1);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(loop_watch_change(loop, &seen.watch, LOOP_QUIET | LOOP_WRITABLE), 0);
	for (unsigned i = 0; i < 3; i++)
		loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.events, LOOP_WRITABLE);
	seen_forget(&seen);
	assert_int_equal(setsockopt(seen.fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	fd_close(&seen.fds[1]);
	for (unsigned i = 0; i < PASSES_MAX && seen.calls == 0; i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_true(seen.events & LOOP_FAILED);
	seen_close(&seen);
}

static void a_watch_for_ends_hears_of_no_byte(void **state)
{
	struct seen seen = {.watch.fd = -1};

	(void)state;
	tcp_pair(seen.fds);
	assert_int_equal(loop_watch_add(loop, &seen.watch, seen.fds[0], LOOP_ENDS, seen_ready), 0);
	loop_run_once(loop, 0);
	poke(seen.fds[1]);
	assert_int_equal(send(seen.fds[1], "!", 1, MSG_OOB), 1);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(loop, 1);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	for (unsigned i = 0; i < PASSES_MAX && seen.calls == 0; i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_PEER_CLOSED);
	seen_close(&seen);
}

static void a_level_writer_does_not_spin_on_the_peers_half_close(void **state)
{
	char block[4096] = {0};
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_WRITABLE | LOOP_LEVEL);
	while (write(seen.fds[0], block, sizeof(block)) > 0)
		;
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 0);
	seen_close(&seen);
}

static uint64_t events_so_far(void)
{
	struct loop_activity activity;

	loop_activity_read(loop, &activity);
	return activity.events;
}

/* Nor does what the loop does not report keep it from waiting. */
static void a_waiting_level_writer_lets_the_loop_wait(void **state)
{
	char block[4096] = {0};
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_WRITABLE | LOOP_LEVEL);
	while (write(seen.fds[0], block, sizeof(block)) > 0)
		;
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
	uint64_t before = events_so_far();
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(loop, 1);
	assert_int_equal(events_so_far(), before);
	seen_close(&seen);
}

static void a_level_writer_is_told_of_room_again_and_again(void **state)
{
	char block[4096] = {0};
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_WRITABLE | LOOP_LEVEL);
	assert_int_equal(shutdown(seen.fds[1], SHUT_WR), 0);
	for (unsigned i = 1; i <= 3; i++) {
		loop_run_once(loop, PASS_WAIT_MS);
		assert_int_equal(seen.calls, i);
	}
	assert_int_equal(seen.events, LOOP_WRITABLE);
	while (write(seen.fds[0], block, sizeof(block)) > 0)
		;
	/* What was on its way may still come. */
	loop_run_once(loop, 0);
	seen_forget(&seen);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 0);
	while (read(seen.fds[1], block, sizeof(block)) > 0)
		;
	for (unsigned i = 1; i <= 3; i++) {
		loop_run_once(loop, PASS_WAIT_MS);
		assert_int_equal(seen.calls, i);
	}
	seen_close(&seen);
}

static void a_parked_level_watch_does_not_spin(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_READABLE | LOOP_LEVEL);
	assert_int_equal(loop_watch_change(loop, &seen.watch, LOOP_LEVEL), 0);
	fd_close(&seen.fds[1]);
	for (unsigned i = 0; i < 3; i++)
		loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 1);
	seen_close(&seen);
}

static void changing_the_interest_reports_what_is_ready_already(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, 0);
	poke(seen.fds[1]);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(loop_watch_change(loop, &seen.watch, LOOP_READABLE), 0);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(seen.events, LOOP_READABLE);
	assert_int_equal(loop_watch_change(loop, &seen.watch, 0), 0);
	seen_forget(&seen);
	poke(seen.fds[1]);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 0);
	seen_close(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_are_reported_once),
		cmocka_unit_test(a_level_is_repeated_until_it_is_used_up),
		cmocka_unit_test(writability_is_reported_with_the_start),
		cmocka_unit_test(a_half_close_of_the_peer_is_reported),
		cmocka_unit_test(a_full_hang_up_wakes_reader_and_writer),
		cmocka_unit_test(a_broken_pipe_is_a_failure_to_write_about),
		cmocka_unit_test(a_refused_connection_is_a_failure),
		cmocka_unit_test(urgent_data_is_reported),
		cmocka_unit_test(urgent_data_is_reported_to_a_parked_watch_too),
		cmocka_unit_test(plain_data_is_not_called_urgent),
		cmocka_unit_test(a_quiet_watch_hears_of_failures_hang_ups_and_what_it_asked_for_alone),
		cmocka_unit_test(a_watch_for_ends_hears_of_no_byte),
		cmocka_unit_test(a_level_writer_does_not_spin_on_the_peers_half_close),
		cmocka_unit_test(a_waiting_level_writer_lets_the_loop_wait),
		cmocka_unit_test(a_level_writer_is_told_of_room_again_and_again),
		cmocka_unit_test(a_parked_level_watch_does_not_spin),
		cmocka_unit_test(changing_the_interest_reports_what_is_ready_already),
	};

	return LOOP_TESTS_RUN(tests);
}
