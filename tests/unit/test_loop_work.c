/* What loop.h promises of work that is not readiness: tasks, timers, messages, and
 * the order of a pass. */
#include "loop/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "loop_fixtures.h"

/* Passes a test may need until something promised has come. */
enum { PASSES_MAX = 100, PASS_WAIT_MS = 100 };

/* Tasks leave their letters here in the order they run. */
static char track[32];
static size_t track_len;

static void track_begin(void)
{
	memset(track, 0, sizeof(track));
	track_len = 0;
}

struct step {
	struct loop_task task;
	struct loop_message message;
	struct loop_timer timer;
	char letter;
	struct step *schedules, *cancels;
	unsigned repeats;
};

static void step_act(struct step *step)
{
	assert_true(track_len < sizeof(track) - 1);
	track[track_len++] = step->letter;
	if (step->cancels) {
		loop_task_cancel(loop, &step->cancels->task);
		loop_timer_cancel(loop, &step->cancels->timer);
	}
	if (step->schedules)
		loop_task_schedule(loop, &step->schedules->task);
	if (step->repeats > 0) {
		step->repeats--;
		loop_task_schedule(loop, &step->task);
	}
}

static void step_run(struct loop_task *task)
{
	step_act(container_of(task, struct step, task));
}

static void step_message(struct loop_message *message)
{
	step_act(container_of(message, struct step, message));
}

static void step_expired(struct loop_timer *timer)
{
	step_act(container_of(timer, struct step, timer));
}

static struct step step_new(char letter)
{
	struct step step = {.letter = letter, .task.run = step_run, .message.run = step_message};

	step.timer.on_expiry = step_expired; /* zeroed counts as initialised */
	return step;
}

static void tasks_run_in_order_once(void **state)
{
	struct step a = step_new('a'), b = step_new('b'), c = step_new('c');

	(void)state;
	track_begin();
	loop_task_init(&a.task, step_run);
	loop_task_schedule(loop, &a.task);
	loop_task_schedule(loop, &b.task);
	loop_task_schedule(loop, &a.task);
	loop_task_schedule(loop, &c.task);
	loop_task_cancel(loop, &b.task);
	loop_task_cancel(loop, &b.task);
	loop_run_once(loop, -1); /* scheduled work is not waited before */
	assert_string_equal(track, "ac");
	loop_run_once(loop, 0);
	assert_string_equal(track, "ac");
}

static void what_a_task_schedules_runs_in_the_next_pass(void **state)
{
	struct step a = step_new('a'), b = step_new('b'), c = step_new('c');

	(void)state;
	track_begin();
	a.schedules = &b;
	a.repeats = 2;
	c.cancels = &a;
	loop_task_schedule(loop, &a.task);
	loop_run_once(loop, -1);
	assert_string_equal(track, "a");
	loop_run_once(loop, -1);
	assert_string_equal(track, "aba");
	loop_task_cancel(loop, &a.task);
	loop_task_cancel(loop, &b.task);
	loop_task_schedule(loop, &c.task);
	loop_task_schedule(loop, &a.task);
	loop_run_once(loop, -1);
	loop_run_once(loop, 0);
	assert_string_equal(track, "abac");
}

static struct step *task_of_event;

static void schedule_task(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	loop_task_schedule(loop, &task_of_event->task);
}

/* A pipe that is ready to be read; its event schedules task_of_event. */
static void ready_open(struct loop_watch *watch, int ret_ends[2])
{
	assert_int_equal(pipe2(ret_ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ret_ends[1], "x", 1), 1);
	watch->fd = -1;
	watch->magic = 0;
	assert_int_equal(loop_watch_add(loop, watch, ret_ends[0], LOOP_READABLE, schedule_task), 0);
}

static void ready_close(struct loop_watch *watch, int ends[2])
{
	loop_watch_remove(loop, watch, true);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void a_pass_goes_events_timers_messages_tasks(void **state)
{
	struct step task = step_new('T'), timer = step_new('t'), message = step_new('m');
	struct loop_watch watch;
	int ends[2];

	(void)state;
	track_begin();
	task_of_event = &task;
	ready_open(&watch, ends);
	loop_timer_set(loop, &timer.timer, 0);
	loop_post(loop, &message.message);
	loop_run_once(loop, PASS_WAIT_MS);
	assert_string_equal(track, "tmT");
	ready_close(&watch, ends);
}

static void timers_come_by_the_real_clock_and_not_early(void **state)
{
	struct step timer = step_new('t');
	uint64_t wanted_ms = loop_now_ms(loop) + 30;

	(void)state;
	track_begin();
	loop_timer_init(&timer.timer, step_expired);
	assert_false(loop_timer_is_set(&timer.timer));
	loop_timer_set(loop, &timer.timer, wanted_ms);
	assert_true(loop_timer_is_set(&timer.timer));
	for (unsigned i = 0; i < PASSES_MAX && track_len == 0; i++)
		loop_run_once(loop, -1);
	assert_string_equal(track, "t");
	assert_false(loop_timer_is_set(&timer.timer));
	assert_true(clock_monotonic_ms() >= wanted_ms);
	assert_true(loop_now_ms(loop) >= wanted_ms);
}

static void a_cancelled_timer_does_not_come(void **state)
{
	struct step a = step_new('a'), b = step_new('b');

	(void)state;
	track_begin();
	a.cancels = &b;
	loop_timer_set(loop, &a.timer, loop_now_ms(loop));
	loop_timer_set(loop, &b.timer, loop_now_ms(loop));
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
	assert_string_equal(track, "a");
	assert_false(loop_timer_is_set(&b.timer));
	loop_timer_cancel(loop, &b.timer);
}

static void messages_come_in_the_order_of_posting(void **state)
{
	struct step a = step_new('a'), b = step_new('b'), c = step_new('c');

	(void)state;
	track_begin();
	loop_post(loop, &a.message);
	loop_post(loop, &b.message);
	loop_post(loop, &c.message);
	loop_run_once(loop, -1);
	assert_string_equal(track, "abc");
}

enum { SENDERS = 2, SENT = 500 };

struct sender {
	pthread_t thread;
	struct sender_message {
		struct loop_message message;
		struct sender *sender;
		unsigned number;
	} messages[SENT];
	unsigned received;
};

static void sent_received(struct loop_message *message)
{
	struct sender_message *sent = container_of(message, struct sender_message, message);

	assert_int_equal(sent->number, sent->sender->received);
	sent->sender->received++;
}

static void *send_all(void *context)
{
	struct sender *sender = context;

	for (unsigned i = 0; i < SENT; i++) {
		sender->messages[i] = (struct sender_message){{.run = sent_received}, sender, i};
		loop_post(loop, &sender->messages[i].message);
	}
	return NULL;
}

static void messages_of_other_threads_wake_the_loop_and_none_is_lost(void **state)
{
	static struct sender senders[SENDERS];
	unsigned received = 0, passes = 0;

	(void)state;
	memset(senders, 0, sizeof(senders));
	for (size_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
	while (received < SENDERS * SENT) {
		loop_run_once(loop, 20 * SENT);
		received = 0;
		for (size_t i = 0; i < SENDERS; i++)
			received += senders[i].received;
		assert_true(++passes <= 2 * SENDERS * SENT);
	}
	for (size_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
}

static void messages_pending_at_the_end_are_run(void **state)
{
	struct step a = step_new('a');

	(void)state;
	track_begin();
	loop_post(loop, &a.message);
	loop_destroy(loop);
	assert_string_equal(track, "a");
	loop_destroy(NULL);
	loop = loop_create_named(backend);
	assert_non_null(loop);
}

static void stop_loop(struct loop_task *task)
{
	(void)task;
	loop_stop(loop);
}

static void running_ends_with_stop_and_may_begin_again(void **state)
{
	struct loop_task stop = {.run = stop_loop};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		loop_task_schedule(loop, &stop);
		loop_run(loop);
	}
	loop_stop(loop); /* before the run: no pass at all */
	loop_run(loop);
}

static void what_it_did_is_counted(void **state)
{
	struct step step = step_new('s');
	struct loop_activity before, after;
	struct loop_watch watch;
	int ends[2];

	(void)state;
	track_begin();
	loop_activity_read(loop, &before);
	task_of_event = &step;
	ready_open(&watch, ends);
	loop_run_once(loop, PASS_WAIT_MS);
	loop_timer_set(loop, &step.timer, 0);
	loop_run_once(loop, PASS_WAIT_MS);
	loop_post(loop, &step.message);
	loop_run_once(loop, PASS_WAIT_MS);
	loop_activity_read(loop, &after);
	assert_int_equal(after.passes - before.passes, 3);
	assert_int_equal(after.waits - before.waits, 1);
	assert_in_range(after.events - before.events, 1, 2); /* the wake-up may count */
	assert_int_equal(after.tasks - before.tasks, 1);
	assert_int_equal(after.timers - before.timers, 1);
	assert_int_equal(after.messages - before.messages, 1);
	ready_close(&watch, ends);
}

struct counted_hook {
	struct loop_hook hook;
	struct loop *loop;
	unsigned runs, runs_max;
};

static void on_hook(struct loop_hook *hook)
{
	struct counted_hook *counted = container_of(hook, struct counted_hook, hook);

	if (++counted->runs == counted->runs_max)
		loop_hook_set(counted->loop, NULL);
}

/* Also when nothing happens, and a waiting pass comes back for it. */
static void a_hook_runs_after_every_pass_and_soon(void **state)
{
	struct counted_hook counted = {
		.hook = {.run = on_hook, .wait_us = 500}, .loop = loop, .runs_max = 20};
	uint64_t began_ms = clock_monotonic_ms();

	(void)state;
	loop_hook_set(loop, &counted.hook);
	loop_run_once(loop, 0);
	assert_int_equal(counted.runs, 1);
	for (unsigned pass = 1; pass < counted.runs_max; pass++)
		loop_run_once(loop, -1);
	assert_int_equal(counted.runs, counted.runs_max);
	assert_true(clock_monotonic_ms() - began_ms < 1000);
	loop_run_once(loop, 0);
	assert_int_equal(counted.runs, counted.runs_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_run_in_order_once),
		cmocka_unit_test(what_a_task_schedules_runs_in_the_next_pass),
		cmocka_unit_test(a_pass_goes_events_timers_messages_tasks),
		cmocka_unit_test(timers_come_by_the_real_clock_and_not_early),
		cmocka_unit_test(a_cancelled_timer_does_not_come),
		cmocka_unit_test(messages_come_in_the_order_of_posting),
		cmocka_unit_test(messages_of_other_threads_wake_the_loop_and_none_is_lost),
		cmocka_unit_test(messages_pending_at_the_end_are_run),
		cmocka_unit_test(running_ends_with_stop_and_may_begin_again),
		cmocka_unit_test(what_it_did_is_counted),
		cmocka_unit_test(a_hook_runs_after_every_pass_and_soon),
	};

	return LOOP_TESTS_RUN(tests);
}
