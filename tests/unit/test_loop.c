/* What loop.h promises, over real descriptors: every back end passes this file. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

/* Passes a test may need until something promised has come. */
enum { PASSES_MAX = 100, PASS_WAIT_MS = 100 };

struct seen {
	struct loop_watch watch;
	int fds[2]; /* a socket pair: [0] watched, [1] the other end */
	unsigned calls, events; /* events of all calls together */
	void (*on_seen)(struct seen *seen);
	struct seen *other;
};

static struct loop *loop;

static int loop_begin(void **state)
{
	(void)state;
	loop = loop_create();
	return loop ? 0 : -1;
}

static int loop_end(void **state)
{
	(void)state;
	loop_destroy(loop);
	return 0;
}

static void seen_ready(struct loop_watch *watch, unsigned events)
{
	struct seen *seen = container_of(watch, struct seen, watch);

	seen->calls++;
	seen->events |= events;
	if (seen->on_seen)
		seen->on_seen(seen);
}

static void seen_open(struct seen *seen, unsigned interest)
{
	memset(seen, 0, sizeof(*seen));
	seen->watch.fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, seen->fds), 0);
	assert_int_equal(loop_watch_add(loop, &seen->watch, seen->fds[0], interest, seen_ready), 0);
}

static void seen_close(struct seen *seen)
{
	loop_watch_remove(loop, &seen->watch, true);
	fd_close(&seen->fds[0]);
	fd_close(&seen->fds[1]);
}

static void seen_forget(struct seen *seen)
{
	seen->calls = 0;
	seen->events = 0;
}

static void poke(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

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

/* Two TCP sockets connected to each other. */
static void tcp_pair(int ret_fds[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	FD_AUTO int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&address, len), 0);
	ret_fds[1] = accept(listener, NULL, NULL);
	assert_true(ret_fds[1] >= 0);
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

static void remove_other(struct seen *seen)
{
	loop_watch_remove(loop, &seen->other->watch, true);
	fd_close(&seen->other->fds[0]);
}

static void remove_other_and_stay_open(struct seen *seen)
{
	loop_watch_remove(loop, &seen->other->watch, false);
}

/* The same watch on the same number, but another socket. */
static void replace_other(struct seen *seen)
{
	struct seen *other = seen->other;
	int number = other->fds[0], fresh[2];

	loop_watch_remove(loop, &other->watch, true);
	fd_close(&other->fds[0]);
	fd_close(&other->fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fresh), 0);
	if (fresh[0] != number) {
		assert_true(dup2(fresh[0], number) == number);
		fd_close(&fresh[0]);
	}
	other->fds[0] = number;
	other->fds[1] = fresh[1];
	assert_int_equal(loop_watch_add(loop, &other->watch, number, LOOP_READABLE, seen_ready), 0);
}

static void park_other(struct seen *seen)
{
	assert_int_equal(loop_watch_change(loop, &seen->other->watch, 0), 0);
}

struct stale_case {
	const char *name;
	void (*act)(struct seen *seen);
};

static const struct stale_case stale_cases[] = {
	{"of a watch that a callback removed and closed", remove_other},
	{"of a watch that a callback removed", remove_other_and_stay_open},
	{"of the socket that had the number before", replace_other},
	{"of a watch that a callback parked", park_other},
};

/* Both are ready in one batch; whichever comes first acts on the other. */
static void stale_events_of_a_batch_are_not_delivered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(stale_cases); i++) {
		struct seen a, b;

		print_message("  %s\n", stale_cases[i].name);
		seen_open(&a, LOOP_READABLE);
		seen_open(&b, LOOP_READABLE);
		a.other = &b;
		b.other = &a;
		a.on_seen = stale_cases[i].act;
		b.on_seen = stale_cases[i].act;
		poke(a.fds[1]);
		poke(b.fds[1]);
		loop_run_once(loop, PASS_WAIT_MS);
		assert_int_equal(a.calls + b.calls, 1);
		loop_run_once(loop, 0);
		assert_int_equal(a.calls + b.calls, 1);
		seen_close(&a);
		seen_close(&b);
	}
}

static void remove_self(struct seen *seen)
{
	loop_watch_remove(loop, &seen->watch, true);
	fd_close(&seen->fds[0]);
	assert_false(loop_watch_is_live(&seen->watch));
}

static void a_watch_may_remove_itself(void **state)
{
	struct seen seen;

	(void)state;
	seen_open(&seen, LOOP_READABLE);
	assert_true(loop_watch_is_live(&seen.watch));
	seen.on_seen = remove_self;
	poke(seen.fds[1]);
	loop_run_once(loop, PASS_WAIT_MS);
	loop_run_once(loop, 0);
	assert_int_equal(seen.calls, 1);
	loop_watch_remove(loop, &seen.watch, false);
	seen_close(&seen);
}

static void what_cannot_be_watched_is_refused(void **state)
{
	struct seen seen = {.watch.fd = -1};
	FD_AUTO int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(loop_watch_add(loop, &seen.watch, file, LOOP_READABLE, seen_ready), -EPERM);
	assert_false(loop_watch_is_live(&seen.watch));
	assert_int_equal(loop_watch_add(loop, &seen.watch, 1 << 20, LOOP_READABLE, seen_ready), -EBADF);
}

static void more_events_than_one_batch_holds_all_arrive(void **state)
{
	enum { MANY = 300 };
	static struct seen many[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		seen_open(&many[i], LOOP_READABLE);
		poke(many[i].fds[1]);
	}
	loop_run_once(loop, PASS_WAIT_MS);
	loop_run_once(loop, 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(many[i].calls, 1);
		seen_close(&many[i]);
	}
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
		cmocka_unit_test(a_level_writer_does_not_spin_on_the_peers_half_close),
		cmocka_unit_test(a_parked_level_watch_does_not_spin),
		cmocka_unit_test(changing_the_interest_reports_what_is_ready_already),
		cmocka_unit_test(stale_events_of_a_batch_are_not_delivered),
		cmocka_unit_test(a_watch_may_remove_itself),
		cmocka_unit_test(what_cannot_be_watched_is_refused),
		cmocka_unit_test(more_events_than_one_batch_holds_all_arrive),
	};

	return cmocka_run_group_tests(tests, loop_begin, loop_end);
}
