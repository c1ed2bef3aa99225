/* The engines' contract, fifth part: news that comes in the middle of a pass, after
 * readiness was reported and before an engine goes on.  On real hosts that happens
 * by chance; here a task that stands before the relay's own makes it happen. */
#include "lib_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum { UNIT_BYTES = 4096, UNITS_MAX = 12 };

/* What the far end does in the middle of the pass. */
struct race {
	struct loop_task task;
	struct line line;
	enum relay_side side;
	bool has_run;
	void (*act)(struct race *race);
};

static void on_race(struct loop_task *task)
{
	struct race *race = container_of(task, struct race, task);

	race->has_run = true;
	race->act(race);
}

/* The relay has several turns' worth to read; before its second one the act comes. */
static void race_begin(struct race *race, struct rig *rig, uint64_t bytes)
{
	race->has_run = false;
	line_connect(&race->line, rig, 0);
	line_start(&race->line);
	/* Whatever the start brought is over. */
	for (unsigned i = 0; i < 3; i++)
		rig_pass(rig, 0);
	line_send(&race->line, race->side, bytes);
	loop_task_init(&race->task, on_race);
	loop_task_schedule(rig->loop, &race->task);
	rig_pass(rig, 0);
	assert_true(race->has_run);
}

/* Runs what checks the end for every size and side. */
static void races_run(struct rig *rig, void (*act)(struct race *), void (*check)(struct race *))
{
	for (unsigned i = 1; i <= UNITS_MAX; i++) {
		for (unsigned side = 0; side < RELAY_SIDES; side++) {
			struct race race = {.side = side, .act = act};

			race_begin(&race, rig, i * UNIT_BYTES);
			check(&race);
			line_close(&race.line);
		}
	}
}

static void check_all_arrives(struct race *race)
{
	line_receive(&race->line, relay_other(race->side));
	if (race->line.far[race->side].has_finished)
		line_receive_end(&race->line, relay_other(race->side));
	line_finish(&race->line);
}

static void act_reset(struct race *race)
{
	far_reset(&race->line, race->side);
}

static void check_reset(struct race *race)
{
	struct far *reader = &race->line.far[relay_other(race->side)];

	while (reader->received < race->line.far[race->side].acknowledged) {
		if (far_read(&race->line, relay_other(race->side), 10 * UNIT_BYTES) == 0)
			rig_step(race->line.rig);
		assert_false(reader->has_seen_end);
	}
	line_await_end(&race->line, RELAY_BROKEN);
	assert_int_equal(race->line.broken_side, race->side);
	assert_int_equal(race->line.half_closes[race->side], 0);
}

static void reset_in_a_pass(struct rig *rig)
{
	races_run(rig, act_reset, check_reset);
}

static void act_finish(struct race *race)
{
	far_finish(&race->line, race->side);
}

static void end_in_a_pass(struct rig *rig)
{
	races_run(rig, act_finish, check_all_arrives);
}

static void act_write(struct race *race)
{
	(void)far_write(&race->line, race->side, UNIT_BYTES);
}

static void bytes_in_a_pass(struct rig *rig)
{
	races_run(rig, act_write, check_all_arrives);
}

static void act_write_urgent(struct race *race)
{
	far_write_urgent(&race->line, race->side, 1);
	(void)far_write(&race->line, race->side, 10);
}

static void urgent_in_a_pass(struct rig *rig)
{
	races_run(rig, act_write_urgent, check_all_arrives);
}

static void act_write_urgent_end(struct race *race)
{
	act_write_urgent(race);
	far_finish(&race->line, race->side);
}

static void urgent_and_end_in_a_pass(struct rig *rig)
{
	races_run(rig, act_write_urgent_end, check_all_arrives);
}

/* The end of the other way, and the last of this one, in one pass. */
static void act_finish_other(struct race *race)
{
	far_finish(&race->line, relay_other(race->side));
}

static void other_end_in_a_pass(struct rig *rig)
{
	races_run(rig, act_finish_other, check_all_arrives);
}

static void act_reset_other(struct race *race)
{
	far_reset(&race->line, relay_other(race->side));
}

/* The reader is gone when the engine writes to it. */
static void check_reader_gone(struct race *race)
{
	struct line *line = &race->line;

	while (line->ends == 0) {
		(void)far_write(line, race->side, UNIT_BYTES);
		rig_step(line->rig);
	}
	line_await_end(line, RELAY_BROKEN);
	assert_int_equal(line->broken_side, relay_other(race->side));
}

static void reader_gone_in_a_pass(struct rig *rig)
{
	races_run(rig, act_reset_other, check_reader_gone);
}

static void act_stop(struct race *race)
{
	line_stop(&race->line);
}

static void check_stopped(struct race *race)
{
	assert_true(race->line.is_stopped);
	assert_int_equal(race->line.rig->worker.held_bytes, 0);
	assert_int_equal(race->line.rig->worker.pipes_used, 0);
	rig_settle(race->line.rig);
}

static void stop_in_a_pass(struct rig *rig)
{
	races_run(rig, act_stop, check_stopped);
}

static const struct rig_limits limits_units = {
	.buffer_bytes = UNIT_BYTES,
	.pipe_bytes = UNIT_BYTES,
	.pipes_max = 8,
	.held_bytes_max = 1 << 20,
};

static const struct engine_case cases[] = {
	{"bytes may come in a pass", bytes_in_a_pass, &limits_units, CASE_PACKETS_TOO},
	{"an end may come in a pass", end_in_a_pass, &limits_units, CASE_PACKETS_TOO},
	{"the other end may come in a pass", other_end_in_a_pass, &limits_units, 0},
	{"a reset that a read meets first is a reset", reset_in_a_pass, &limits_units, CASE_TCP_ONLY},
	{"a reader may go in a pass", reader_gone_in_a_pass, &limits_units, CASE_PACKETS_TOO},
	{"urgent bytes may come in a pass", urgent_in_a_pass, &limits_units, 0},
	{"urgent bytes and the end may come in a pass", urgent_and_end_in_a_pass, &limits_units,
		CASE_PACKETS_TOO},
	{"a stop may come in a pass", stop_in_a_pass, &limits_units, CASE_PACKETS_TOO},
};

int main(void)
{
	return engine_cases_run("engines: races", cases, ARRAY_LENGTH(cases));
}
