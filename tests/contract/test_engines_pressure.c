/* The engines' contract, third part: readers that do not read, and too little
 * memory or too few pipes for everyone. */
#include "lib_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum { KIB = 1024, LINES = 8, SOCKETS_FULL_BYTES = 8 * KIB * KIB };

/* Readers that do not read. */

static void reader_asleep(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		enum relay_side reader = relay_other(from);
		struct line line;

		line_open(&line, rig);
		uint64_t taken = line_saturate(&line, from);
		/* Four socket buffers and what the relay may hold, not more. */
		assert_true(taken < SOCKETS_FULL_BYTES);
		uint64_t passes = 0, bytes = line.relay.directions[from].bytes;
		for (; passes < 20; passes++)
			rig_pass(rig, 0);
		assert_true(line.relay.directions[from].bytes - bytes < 64 * KIB);
		/* The other way is open. */
		line_send(&line, reader, 300);
		line_receive(&line, from);
		line_receive(&line, reader);
		/* And so is this one again. */
		line_send(&line, from, 100 * KIB);
		line_receive(&line, reader);
		line_finish(&line);
		line_close(&line);
	}
}

static void both_asleep(struct rig *rig)
{
	struct line line;

	line_open(&line, rig);
	for (unsigned from = 0; from < RELAY_SIDES; from++)
		(void)line_saturate(&line, from);
	for (unsigned from = 0; from < RELAY_SIDES; from++)
		assert_true(relay_held_bytes(&line.relay, from) > 0);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		line_receive(&line, side);
	line_finish(&line);
	line_close(&line);
}

/* A reader that takes a little at a time. */
static void reader_slow(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_connect(&line, rig, 16 * KIB);
		line_start(&line);
		(void)line_saturate(&line, from);
		while (!line_is_delivered(&line, relay_other(from))) {
			(void)far_read(&line, relay_other(from), rig_random_size(rig, 12));
			if (line.far[from].sent < 600 * KIB)
				(void)far_write(&line, from, rig_random_size(rig, 14));
			rig_step(rig);
		}
		line_finish(&line);
		line_close(&line);
	}
}

/* A queue full of bytes at the start: one pass takes only a part of it, and no
 * further event is needed for the rest. */
static void a_pass_is_bounded(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 0);
	for (unsigned i = 0; i < 12; i++)
		line_send(&line, RELAY_CLIENT, 5000);
	line_start(&line);
	/* The ring brings bytes in one pass and has sent them by the next but one. */
	for (unsigned passes = rig_asks(rig, "uring") ? 4 : 1;
		passes > 0 && line.relay.directions[RELAY_CLIENT].bytes == 0; passes--)
		rig_pass(rig, 0);
	assert_true(line.relay.directions[RELAY_CLIENT].bytes > 0);
	assert_true(line.relay.directions[RELAY_CLIENT].bytes < 52 * KIB || rig_asks(rig, "uring"));
	for (unsigned passes = 0; line.relay.directions[RELAY_CLIENT].bytes < 60000; passes++) {
		assert_true(passes < 1000);
		rig_pass(rig, 0);
	}
	line_finish(&line);
	line_close(&line);
}

/* Starvation. */

static void lines_open(struct rig *rig, struct line *lines, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		line_connect(&lines[i], rig, 16 * KIB);
		line_start(&lines[i]);
	}
}

/* Everybody writes until nothing more is taken by anyone. */
static void lines_saturate(struct rig *rig, struct line *lines, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		while (far_write(&lines[i], RELAY_CLIENT, 64 * KIB) > 0)
			rig_pass(rig, 0);
	for (unsigned i = 0; i < count; i++)
		(void)line_saturate(&lines[i], RELAY_CLIENT);
}

static void lines_finish(struct line *lines, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		line_finish(&lines[i]);
		line_close(&lines[i]);
	}
}

/* All readers at once: one that sleeps keeps what others wait for. */
static void lines_receive(struct line *lines, unsigned count)
{
	bool is_done = false;

	while (!is_done) {
		is_done = true;
		for (unsigned i = 0; i < count; i++) {
			if (lines[i].is_stopped || line_is_delivered(&lines[i], RELAY_SERVER))
				continue;
			(void)far_read(&lines[i], RELAY_SERVER, 64 * KIB);
			is_done = false;
		}
		rig_step(lines[0].rig);
	}
}

static unsigned lines_without_progress(const struct line *lines, unsigned count)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += line_is_delivered(&lines[i], RELAY_SERVER) == false &&
			relay_held_bytes(&lines[i].relay, RELAY_CLIENT) == 0;
	return found;
}

static void memory_is_short(struct rig *rig)
{
	struct line lines[LINES];

	lines_open(rig, lines, LINES);
	lines_saturate(rig, lines, LINES);
	/* Some wait with nothing held, and no pass is spent on them. */
	if (rig_asks(rig, "copy")) {
		uint64_t lean_reads = counter_read(&rig->worker.lean_reads);

		assert_true(lines_without_progress(lines, LINES) > 0);
		assert_true(lean_reads > 0);
		for (unsigned passes = 0; passes < 100; passes++)
			rig_pass(rig, 0);
		/* A late acknowledgement may make room once more. */
		assert_true(counter_read(&rig->worker.lean_reads) - lean_reads < 50);
	}
	lines_receive(lines, LINES);
	for (unsigned i = 0; i < LINES; i++)
		line_send(&lines[i], RELAY_SERVER, 5000);
	lines_finish(lines, LINES);
}

/* All read at once, in any order. */
static void memory_is_short_at_random(struct rig *rig)
{
	struct line many[LINES], *lines[LINES];

	lines_open(rig, many, LINES);
	for (unsigned i = 0; i < LINES; i++)
		lines[i] = &many[i];
	line_exchange(lines, LINES, 150 * KIB, 15);
	lines_finish(many, LINES);
}

/* The one that held the memory is stopped: another one gets it. */
static void memory_freed_by_a_stop(struct rig *rig)
{
	struct line lines[LINES];

	lines_open(rig, lines, LINES);
	lines_saturate(rig, lines, LINES);
	for (unsigned i = 0; i < LINES; i++)
		if (relay_held_bytes(&lines[i].relay, RELAY_CLIENT) > 0)
			line_stop(&lines[i]);
	assert_int_equal(rig->worker.held_bytes, 0);
	lines_receive(lines, LINES);
	for (unsigned i = 0; i < LINES; i++)
		if (!lines[i].is_stopped)
			line_finish(&lines[i]);
	for (unsigned i = 0; i < LINES; i++)
		line_close(&lines[i]);
}

/* What was held for a side that broke off comes free, though nothing else moves. */
static void memory_freed_by_a_reset(struct rig *rig)
{
	struct line holder, other;

	line_connect(&holder, rig, 16 * KIB);
	line_start(&holder);
	line_connect(&other, rig, 16 * KIB);
	line_start(&other);
	for (unsigned from = 0; from < RELAY_SIDES; from++)
		(void)line_saturate(&holder, from);
	(void)line_saturate(&other, RELAY_CLIENT);
	far_reset(&holder, RELAY_SERVER);
	rig_settle(rig);
	assert_int_equal(holder.ends, 0);
	assert_int_equal(relay_held_bytes(&holder.relay, RELAY_CLIENT), 0);
	line_receive(&other, RELAY_SERVER);
	line_finish(&other);
	line_close(&other);
	line_close(&holder);
}

/* Readers that never read have filled the room: the others go on without it. */
static void sleepers_stop_nobody(struct rig *rig)
{
	struct line sleepers[LINES], last, *awake[] = {&last};

	lines_open(rig, sleepers, LINES);
	lines_saturate(rig, sleepers, LINES);
	lines_open(rig, &last, 1);
	line_exchange(awake, 1, 200 * KIB, 21);
	line_finish(&last);
	for (unsigned i = 0; i < LINES; i++)
		line_close(&sleepers[i]);
	line_close(&last);
}

/* Pipes. */

/* One reader sleeps for ever on the only pipe: the others go on without. */
static void pipes_are_short(struct rig *rig)
{
	struct line lines[LINES];

	lines_open(rig, lines, LINES);
	(void)line_saturate(&lines[0], RELAY_CLIENT);
	assert_true(relay_held_bytes(&lines[0].relay, RELAY_CLIENT) > 0);
	for (unsigned i = 1; i < LINES; i++)
		line_send(&lines[i], RELAY_CLIENT, 10 * KIB);
	for (unsigned i = 1; i < LINES; i++) {
		line_send(&lines[i], RELAY_SERVER, 10 * KIB);
		line_receive(&lines[i], RELAY_CLIENT);
		line_receive(&lines[i], RELAY_SERVER);
		line_finish(&lines[i]);
	}
	assert_true(relay_held_bytes(&lines[0].relay, RELAY_CLIENT) > 0);
	lines_finish(lines, 1);
	for (unsigned i = 1; i < LINES; i++)
		line_close(&lines[i]);
}

/* All their readers sleep, then wake in turn. */
static void pipes_are_short_for_all(struct rig *rig)
{
	struct line lines[LINES];

	lines_open(rig, lines, LINES);
	lines_saturate(rig, lines, LINES);
	for (unsigned i = LINES; i > 0; i--)
		line_receive(&lines[i - 1], RELAY_SERVER);
	for (unsigned i = 0; i < LINES; i++) {
		line_send(&lines[i], RELAY_CLIENT, 30 * KIB);
		line_receive(&lines[i], RELAY_SERVER);
	}
	lines_finish(lines, LINES);
}

/* Waiting for a pipe costs no passes. */
static void pipes_are_not_fought_for(struct rig *rig)
{
	struct line lines[LINES];
	struct loop_activity before, after;

	lines_open(rig, lines, LINES);
	lines_saturate(rig, lines, LINES);
	rig_settle(rig);
	loop_activity_read(rig->loop, &before);
	for (unsigned i = 0; i < 10; i++)
		rig_pass(rig, 0);
	loop_activity_read(rig->loop, &after);
	assert_true(after.tasks - before.tasks < 10);
	for (unsigned i = 0; i < LINES; i++)
		line_receive(&lines[i], RELAY_SERVER);
	lines_finish(lines, LINES);
}

/* The figures say how many went without, not how often they read. */
static void refusals_are_counted_once(struct rig *rig)
{
	const struct relay_engine_counters *counters =
		&rig->worker.engines[relay_engine_index(&relay_engine_splice)];
	struct line line;

	line_open(&line, rig);
	for (unsigned i = 0; i < 20; i++) {
		line_send(&line, RELAY_CLIENT, 1000);
		line_receive(&line, RELAY_SERVER);
	}
	assert_in_range(counter_read(&counters->refusals), 0, 1);
	assert_int_equal(counter_read(&counters->refusals), rig_asks(rig, "splice"));
	line_finish(&line);
	line_close(&line);
}

static const struct rig_limits limits_small = {
	.buffer_bytes = 2000,
	.pipe_bytes = 4096,
	.pipes_max = 64,
	.held_bytes_max = 1 << 20,
};

static const struct rig_limits limits_of_memory = {
	.buffer_bytes = 32 * KIB,
	.pipe_bytes = 64 * KIB,
	.pipes_max = 2,
	.held_bytes_max = 2 * 32 * KIB + 100,
};

static const struct rig_limits limits_of_pipes = {
	.buffer_bytes = 64 * KIB,
	.pipe_bytes = 64 * KIB,
	.pipes_max = 1,
	.held_bytes_max = 64 << 20,
};

static const struct rig_limits limits_without_pipes = {
	.buffer_bytes = 64 * KIB,
	.pipe_bytes = 64 * KIB,
	.pipes_max = 0,
	.held_bytes_max = 64 << 20,
};

static const struct engine_case cases[] = {
	{"a reader that sleeps holds the writer, and no one else", reader_asleep, NULL, CASE_PACKETS_TOO},
	{"two readers that sleep hold both writers", both_asleep, NULL, 0},
	{"a slow reader gets everything", reader_slow, NULL, CASE_PACKETS_TOO},
	{"a pass does a bounded amount of work, and the rest follows", a_pass_is_bounded, &limits_small, 0},
	{"relays without room to keep bytes finish all the same", memory_is_short, &limits_of_memory, 0},
	{"relays short of memory deliver random chunks", memory_is_short_at_random, &limits_of_memory, 0},
	{"memory that a stop frees goes to the next", memory_freed_by_a_stop, &limits_of_memory, 0},
	{"memory that a reset frees goes to the next", memory_freed_by_a_reset, &limits_of_memory, 0},
	{"readers that sleep on all the memory stop nobody", sleepers_stop_nobody, &limits_of_memory, 0},
	{"one pipe that is stuck for ever stops no one else", pipes_are_short, &limits_of_pipes, 0},
	{"one pipe for all serves all", pipes_are_short_for_all, &limits_of_pipes, 0},
	{"nobody spins for a pipe", pipes_are_not_fought_for, &limits_of_pipes, 0},
	{"no pipe at all serves as well", pipes_are_short_for_all, &limits_without_pipes, 0},
	{"a direction without a pipe is counted once", refusals_are_counted_once, &limits_without_pipes, 0},
	{"no pipe at all makes nobody spin", pipes_are_not_fought_for, &limits_without_pipes, 0},
};

int main(void)
{
	return engine_cases_run("engines: pressure", cases, ARRAY_LENGTH(cases));
}
