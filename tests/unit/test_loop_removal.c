/* What loop.h promises of watches that end or change, of threads, and of many events
 * at once. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "loop_seen.h"

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

/* Between passes, with an event under way: the same watch serves another socket, and
 * then its memory is gone. */
static void what_was_under_way_finds_no_later_watch(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	(void)state;
	assert_non_null(seen);
	for (unsigned i = 0; i < 3; i++) {
		seen_open(seen, LOOP_READABLE);
		loop_run_once(loop, 0);
		assert_int_equal(seen->calls, 0);
		poke(seen->fds[1]);
		seen_close(seen);
	}
	seen_open(seen, LOOP_READABLE);
	poke(seen->fds[1]);
	seen_close(seen);
	free(seen);
	for (unsigned i = 0; i < 3; i++)
		loop_run_once(loop, 0);
}

static void a_socket_closed_after_its_watch_ends_for_its_peer(void **state)
{
	struct seen seen;
	char byte;

	(void)state;
	seen_open(&seen, LOOP_READABLE);
	loop_run_once(loop, 0);
	loop_watch_remove(loop, &seen.watch, true);
	fd_close(&seen.fds[0]);
	loop_run_once(loop, 0);
	assert_int_equal(read(seen.fds[1], &byte, 1), 0);
	fd_close(&seen.fds[1]);
	seen_open(&seen, LOOP_READABLE);
	loop_run_once(loop, 0);
	loop_watch_remove(loop, &seen.watch, false);
	fd_close(&seen.fds[0]);
	/* At once, for nothing was said of closing. */
	assert_int_equal(read(seen.fds[1], &byte, 1), 0);
	fd_close(&seen.fds[1]);
}

static void *run_loop(void *context)
{
	loop_run(context);
	return NULL;
}

static struct loop *threaded;

static void stop_threaded(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	loop_stop(threaded);
}

/* As workers do: made here, run there, and taken apart here. */
static void a_loop_may_be_made_and_ended_by_another_thread(void **state)
{
	struct seen before, after;
	pthread_t thread;
	struct loop *own = loop;

	(void)state;
	loop = threaded = loop_create_named(backend);
	assert_non_null(threaded);
	seen_open(&before, LOOP_READABLE);
	before.watch.on_ready = stop_threaded;
	assert_int_equal(pthread_create(&thread, NULL, run_loop, threaded), 0);
	poke(before.fds[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	seen_open(&after, LOOP_READABLE);
	loop_run_once(threaded, 0);
	seen_close(&after);
	seen_close(&before);
	loop_run_once(threaded, 0);
	loop_destroy(threaded);
	loop = own;
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
	for (unsigned i = 0; i < PASSES_MAX; i++)
		loop_run_once(loop, 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(many[i].calls, 1);
		seen_close(&many[i]);
	}
}

/* Back ends that queue results in memory shared with the kernel have a size for it. */
static void thousands_of_events_between_two_passes_all_arrive(void **state)
{
	enum { MANY = 6000 };
	struct seen *many = calloc(MANY, sizeof(*many));

	(void)state;
	assert_non_null(many);
	if (fd_limit_raise(MANY + 100) < MANY + 100)
		skip();
	for (size_t i = 0; i < MANY; i++) {
		many[i].watch.fd = -1;
		many[i].fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(many[i].fds[0] >= 0);
		assert_int_equal(
			loop_watch_add(loop, &many[i].watch, many[i].fds[0], LOOP_READABLE, seen_ready), 0);
	}
	loop_run_once(loop, 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(eventfd_write(many[i].fds[0], 1), 0);
	for (unsigned i = 0; i < 10 * PASSES_MAX; i++)
		loop_run_once(loop, 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(many[i].calls, 1);
		loop_watch_remove(loop, &many[i].watch, true);
		fd_close(&many[i].fds[0]);
	}
	loop_run_once(loop, 0);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale_events_of_a_batch_are_not_delivered),
		cmocka_unit_test(what_was_under_way_finds_no_later_watch),
		cmocka_unit_test(a_socket_closed_after_its_watch_ends_for_its_peer),
		cmocka_unit_test(a_loop_may_be_made_and_ended_by_another_thread),
		cmocka_unit_test(a_watch_may_remove_itself),
		cmocka_unit_test(what_cannot_be_watched_is_refused),
		cmocka_unit_test(more_events_than_one_batch_holds_all_arrive),
		cmocka_unit_test(thousands_of_events_between_two_passes_all_arrive),
	};

	return LOOP_TESTS_RUN(tests);
}
