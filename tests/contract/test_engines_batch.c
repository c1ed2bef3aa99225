/* The engines' contract, sixth part: a direction that is woken for many bytes only
 * still delivers the few, at once at the end and soon at a pause. */
#include "lib_cases.h"

#include "base/clock.h"
#include "base/status.h"

enum {
	KIB = 1024,
	BULK_BYTES = 32 * KIB * KIB,
	FEW_BYTES = 1000,
	SOON_MS = 50,
	ANSWERS = 400,
	ANSWER_BYTES = 20 * KIB
};

static bool is_batched(const struct line *line, enum relay_side from)
{
	return line->relay.directions[from].batch != NULL;
}

/* Copy is never woken for many, for its flows are those that pause; nor is uring, whose
 * wakings serve many flows. */
static bool must_batch(const struct rig *rig)
{
	return rig_is_tcp(rig) && !rig_asks(rig, "copy") && !rig_asks(rig, "uring");
}

/* Until it is woken for many, or enough for that has gone. */
static void line_flow(struct line *line, enum relay_side from)
{
	uint64_t end = line->far[from].sent + BULK_BYTES;

	while (line->far[from].sent < end && !is_batched(line, from)) {
		while (far_write(line, from, 256 * KIB) > 0)
			continue;
		rig_step(line->rig);
		while (far_read(line, relay_other(from), 256 * KIB) > 0)
			continue;
	}
	/* A crowded direction may have left sockmap for splice. */
	if (!rig_asks(line->rig, "sockmap"))
		assert_int_equal(is_batched(line, from), must_batch(line->rig));
}

static void line_open_flowing(struct line *line, struct rig *rig, enum relay_side from)
{
	line_connect(line, rig, 0);
	line_start(line);
	line_flow(line, from);
	line_receive(line, relay_other(from));
}

static void few_bytes_arrive_soon(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_open_flowing(&line, rig, from);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t began_ms = clock_monotonic_ms();

			line_send(&line, from, FEW_BYTES);
			line_receive(&line, relay_other(from));
			assert_in_range(clock_monotonic_ms() - began_ms, 0, SOON_MS);
		}
		line_finish(&line);
		line_close(&line);
	}
}

/* Large answers with a question between each: none of them may wait for others. */
static void answers_do_not_wait(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;
		unsigned batched = 0;

		line_open_flowing(&line, rig, from);
		for (unsigned i = 0; i < ANSWERS; i++) {
			line_send(&line, relay_other(from), FEW_BYTES);
			line_receive(&line, from);
			line_send(&line, from, ANSWER_BYTES);
			line_receive(&line, relay_other(from));
			batched += is_batched(&line, from);
		}
		/* Each time it takes twice as many to try it again. */
		assert_in_range(batched, 0, 8);
		line_finish(&line);
		line_close(&line);
	}
}

/* It costs the worker nothing any more when the flow has stopped. */
static void silence_ends_it(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;
		uint64_t limit_ms = clock_monotonic_ms() + SOON_MS;

		line_open_flowing(&line, rig, from);
		while (is_batched(&line, from) && clock_monotonic_ms() < limit_ms)
			rig_pass(rig, 10);
		assert_false(is_batched(&line, from));
		line_flow(&line, from);
		line_finish(&line);
		line_close(&line);
	}
}

static void end_after_few_bytes(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_open_flowing(&line, rig, from);
		line_send(&line, from, FEW_BYTES);
		far_finish(&line, from);
		line_receive_end(&line, relay_other(from));
		line_finish(&line);
		line_close(&line);
	}
}

static void reset_in_full_flow(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_connect(&line, rig, 0);
		line_start(&line);
		line_flow(&line, from);
		far_reset(&line, from);
		line_await_end(&line, RELAY_BROKEN);
		line_close(&line);
	}
}

/* The target takes nothing: bytes wait in the pipe and in the source, and nothing
 * spins meanwhile. */
static void target_that_stops_reading(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;
		struct loop_activity before, after;

		line_open_flowing(&line, rig, from);
		(void)line_saturate(&line, from);
		rig_settle(rig);
		loop_activity_read(rig->loop, &before);
		rig_pass(rig, 20);
		rig_pass(rig, 20);
		loop_activity_read(rig->loop, &after);
		assert_in_range(after.tasks - before.tasks, 0, 2);
		line_receive(&line, relay_other(from));
		line_finish(&line);
		line_close(&line);
	}
}

static const struct engine_case cases[] = {
	{"few bytes after many arrive soon", few_bytes_arrive_soon, NULL, 0},
	{"large answers with questions between do not wait", answers_do_not_wait, NULL, 0},
	{"silence ends the waiting for many", silence_ends_it, NULL, 0},
	{"an end after few bytes comes at once", end_after_few_bytes, NULL, 0},
	{"a reset in full flow ends it", reset_in_full_flow, NULL, CASE_TCP_ONLY},
	{"a target that stops reading costs nothing", target_that_stops_reading, NULL, 0},
};

int main(void)
{
	return engine_cases_run("engines: batches", cases, ARRAY_LENGTH(cases));
}
