/* Operations on a loop's ring: completions, ends, and what a cancelled one may touch. */
#include "loop/ring.h"

#include <errno.h>
#include <liburing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/list.h"

enum { PASSES_MAX = 100, PASS_WAIT_MS = 100 };

static struct loop *loop;

struct receiver {
	struct ring_operation operation;
	int fds[2]; /* [0] is received from */
	char byte;
	unsigned completions, endings;
	int result;
};

static int ring_begin(void **state)
{
	(void)state;
	loop = loop_create_named("uring");
	return loop ? 0 : -1;
}

static int ring_end(void **state)
{
	(void)state;
	loop_destroy(loop);
	return 0;
}

static void on_complete(struct ring_operation *operation, int result, unsigned flags)
{
	struct receiver *receiver = container_of(operation, struct receiver, operation);

	receiver->completions++;
	receiver->endings += !(flags & IORING_CQE_F_MORE);
	receiver->result = result;
	assert_int_equal(operation->is_in_flight, (flags & IORING_CQE_F_MORE) != 0);
}

static void receiver_begin(struct receiver *receiver)
{
	struct io_uring_sqe *entry = loop_ring_entry(loop);

	assert_non_null(entry);
	io_uring_prep_recv(entry, receiver->fds[0], &receiver->byte, 1, 0);
	loop_ring_begin(loop, entry, &receiver->operation);
}

static void receiver_open(struct receiver *receiver)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->operation.on_complete = on_complete;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, receiver->fds), 0);
	receiver_begin(receiver);
}

static void receiver_close(struct receiver *receiver)
{
	assert_false(receiver->operation.is_in_flight);
	fd_close(&receiver->fds[0]);
	fd_close(&receiver->fds[1]);
}

static void poke(int fd, char byte)
{
	assert_int_equal(write(fd, &byte, 1), 1);
}

static void await_completion(const struct receiver *receiver, unsigned completions)
{
	for (unsigned i = 0; i < PASSES_MAX && receiver->completions < completions; i++)
		loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(receiver->completions, completions);
}

static void an_operation_on_a_non_blocking_fd_waits_and_completes(void **state)
{
	struct receiver receiver;

	(void)state;
	receiver_open(&receiver);
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
	assert_int_equal(receiver.completions, 0);
	poke(receiver.fds[1], 'x');
	await_completion(&receiver, 1);
	assert_int_equal(receiver.result, 1);
	assert_int_equal(receiver.byte, 'x');
	receiver_begin(&receiver);
	poke(receiver.fds[1], 'y');
	await_completion(&receiver, 2);
	assert_int_equal(receiver.byte, 'y');
	receiver_close(&receiver);
}

static void a_cancelled_operation_ends_once(void **state)
{
	struct receiver receiver;

	(void)state;
	receiver_open(&receiver);
	loop_run_once(loop, 0);
	loop_ring_cancel(loop, &receiver.operation);
	loop_ring_cancel(loop, &receiver.operation);
	assert_true(receiver.operation.is_in_flight);
	await_completion(&receiver, 1);
	assert_int_equal(receiver.endings, 1);
	assert_int_equal(receiver.result, -ECANCELED);
	loop_ring_cancel(loop, &receiver.operation);
	receiver_close(&receiver);
}

/* The number is another socket's by the time the loop waits. */
static void what_was_cancelled_before_it_began_takes_nothing_from_the_next_socket(void **state)
{
	struct receiver receiver;
	int fresh[2], number;
	char byte;

	(void)state;
	receiver_open(&receiver);
	loop_ring_cancel(loop, &receiver.operation);
	number = receiver.fds[0];
	fd_close(&receiver.fds[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fresh), 0);
	if (fresh[0] != number) {
		assert_int_equal(dup2(fresh[0], number), number);
		fd_close(&fresh[0]);
	}
	poke(fresh[1], 'z');
	await_completion(&receiver, 1);
	assert_int_equal(receiver.result, -ECANCELED);
	assert_int_equal(read(number, &byte, 1), 1);
	assert_int_equal(byte, 'z');
	fd_close(&number);
	fd_close(&fresh[1]);
	receiver_close(&receiver);
}

struct counted_watch {
	struct loop_watch watch;
	unsigned calls;
};

static void count_call(struct loop_watch *watch, unsigned events)
{
	(void)events;
	container_of(watch, struct counted_watch, watch)->calls++;
}

static void settling_ends_what_is_cancelled_and_keeps_the_watches_events(void **state)
{
	enum { MANY = 300 };
	static struct receiver many[MANY];
	struct counted_watch counted = {.watch.fd = -1};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(loop_watch_add(loop, &counted.watch, pair[0], LOOP_READABLE, count_call), 0);
	for (unsigned i = 0; i < MANY; i++)
		receiver_open(&many[i]);
	loop_run_once(loop, 0);
	poke(pair[1], 'x');
	for (unsigned i = 0; i < MANY; i++)
		loop_ring_cancel(loop, &many[i].operation);
	loop_ring_settle(loop);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(many[i].endings, 1);
		receiver_close(&many[i]);
	}
	assert_int_equal(counted.calls, 0);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_int_equal(counted.calls, 1);
	loop_watch_remove(loop, &counted.watch, true);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static void only_a_loop_on_a_ring_has_one(void **state)
{
	struct loop *plain = loop_create();

	(void)state;
	assert_non_null(plain);
	assert_false(loop_has_ring(plain));
	assert_null(loop_ring(plain));
	loop_destroy(plain);
	assert_true(loop_has_ring(loop));
	assert_non_null(loop_ring(loop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_operation_on_a_non_blocking_fd_waits_and_completes),
		cmocka_unit_test(a_cancelled_operation_ends_once),
		cmocka_unit_test(what_was_cancelled_before_it_began_takes_nothing_from_the_next_socket),
		cmocka_unit_test(settling_ends_what_is_cancelled_and_keeps_the_watches_events),
		cmocka_unit_test(only_a_loop_on_a_ring_has_one),
	};
	const char *reason = loop_backend_unavailable("uring");

	if (reason) {
		print_message("[  SKIPPED ] %s\n", reason);
		return 77; /* meson's word for skipped */
	}
	return cmocka_run_group_tests(tests, ring_begin, ring_end);
}
