/* The engines' contract, fourth part: which engine carries a direction, and what a
 * stop at any moment leaves behind. */
#include "lib_cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/status.h"

enum { KIB = 1024, BULK_BYTES = 3 * KIB * KIB, MESSAGES = 40 };

static const char *engine_of(const struct line *line, enum relay_side from)
{
	return relay_engine_name(&line->relay, from);
}

static struct relay_engine_counters *counters_of(struct rig *rig, const char *engine)
{
	return &rig->worker.engines[relay_engine_index(relay_engine_find(engine))];
}

/* As much as goes in at a time, both far ends awake. */
static void line_bulk(struct line *line, enum relay_side from, uint64_t len)
{
	for (uint64_t end = line->far[from].sent + len; line->far[from].sent < end;) {
		while (far_write(line, from, 256 * KIB) > 0)
			continue;
		rig_step(line->rig);
		while (far_read(line, relay_other(from), 256 * KIB) > 0)
			continue;
	}
	line_receive(line, relay_other(from));
}

static void line_message(struct line *line, enum relay_side from)
{
	line_send(line, from, 100);
	line_receive(line, relay_other(from));
}

static void moves_with_the_flow(struct rig *rig)
{
	/* In bulk and with messages. */
	const char *const by_flow[] = {"splice", "copy"}, *const fixed[] = {rig->engine, rig->engine};
	const char *const *expected = rig_asks(rig, "auto") ? by_flow : fixed;

	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_connect(&line, rig, 0);
		line_start(&line);
		assert_string_equal(engine_of(&line, from), "copy");
		for (unsigned round = 0; round < 3; round++) {
			line_bulk(&line, from, BULK_BYTES);
			assert_string_equal(engine_of(&line, from), expected[0]);
			for (unsigned i = 0; i < MESSAGES; i++)
				line_message(&line, from);
			assert_string_equal(engine_of(&line, from), expected[1]);
			if (rig_asks(rig, "auto"))
				assert_int_equal(line.relay.directions[from].moves, 2 * (round + 1));
		}
		if (!rig_asks(rig, "auto"))
			assert_int_equal(line.relay.directions[from].moves, !rig_asks(rig, "copy"));
		line_finish(&line);
		line_close(&line);
	}
}

/* Bulk one way, messages the other: each direction has the engine that suits it. */
static void directions_choose_alone(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 0);
	line.engines[RELAY_CLIENT] = "auto";
	line_start(&line);
	for (unsigned i = 0; i < MESSAGES; i++) {
		line_bulk(&line, RELAY_CLIENT, BULK_BYTES / MESSAGES);
		line_message(&line, RELAY_SERVER);
	}
	line_bulk(&line, RELAY_CLIENT, BULK_BYTES);
	assert_string_equal(engine_of(&line, RELAY_CLIENT), "splice");
	assert_string_equal(engine_of(&line, RELAY_SERVER), rig_asks(rig, "auto") ? "copy" : rig->engine);
	line_finish(&line);
	line_close(&line);
}

/* Bulk and messages by turns, at random. */
static void moves_lose_nothing(struct rig *rig)
{
	struct line line, *lines[] = {&line};

	line_connect(&line, rig, 0);
	line_start(&line);
	for (unsigned round = 1; round <= 4; round++) {
		line_bulk(&line, round % RELAY_SIDES, 800 * KIB);
		(void)line_saturate(&line, RELAY_CLIENT);
		line_exchange(lines, 1, line.far[RELAY_CLIENT].sent, 17);
		line_exchange(lines, 1, line.far[RELAY_CLIENT].sent + 2000, 5);
	}
	line_finish(&line);
	line_close(&line);
}

/* The engine was found unusable on this host; auto would have taken splice. */
static void unavailable(struct rig *rig)
{
	bool is_pump = rig_asks(rig, "uring") || rig_asks(rig, "sockmap");
	const char *name = is_pump ? rig->engine : "splice";
	struct line line;

	rig->worker.engine_refusals[relay_engine_index(relay_engine_find(name))] = "the test says so";
	line_connect(&line, rig, 0);
	line_start(&line);
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		line_bulk(&line, from, BULK_BYTES);
		assert_string_equal(engine_of(&line, from), "copy");
		assert_int_equal(line.relay.directions[from].moves, 0);
	}
	assert_int_equal(
		counter_read(&counters_of(rig, name)->refusals), rig_asks(rig, name) ? RELAY_SIDES : 0);
	assert_int_equal(counter_read(&counters_of(rig, "copy")->refusals), 0);
	assert_int_equal(counter_read(&counters_of(rig, name)->directions_ever), 0);
	line_finish(&line);
	line_close(&line);
}

static void counted_by_engine(struct rig *rig)
{
	bool is_moved = !rig_asks(rig, "copy");
	struct line line;

	line_connect(&line, rig, 0);
	line_start(&line);
	assert_int_equal(counter_read(&counters_of(rig, "copy")->directions_now), RELAY_SIDES);
	line_bulk(&line, RELAY_CLIENT, BULK_BYTES);
	line_message(&line, RELAY_SERVER);
	struct relay_engine_counters *asked = counters_of(rig, rig->engine);
	assert_int_equal(counter_read(&asked->directions_now), RELAY_SIDES);
	assert_int_equal(counter_read(&asked->moves_in), is_moved ? RELAY_SIDES : 0);
	if (is_moved) {
		assert_int_equal(counter_read(&counters_of(rig, "copy")->bytes), 0);
		assert_int_equal(counter_read(&counters_of(rig, "copy")->directions_now), 0);
	}
	line_finish(&line);
	line_close(&line);
}

/* Stops. */

static void stop_at_random(struct rig *rig)
{
	/* The same memory serves again and again. */
	static struct line line;

	for (unsigned i = 0; i < 60; i++) {
		line_connect(&line, rig, i % 3 == 0 ? 0 : 16 * KIB);
		line.prefix_bytes = rig_random(rig, 3) == 0 ? (uint32_t)rig_random(rig, 100 * KIB) : 0;
		line_start(&line);
		for (uint64_t passes = rig_random(rig, 12); passes > 0; passes--) {
			enum relay_side side = rig_random(rig, RELAY_SIDES);

			(void)far_write(&line, side, rig_random_size(rig, 18));
			if (rig_random(rig, 3) == 0)
				(void)far_read(&line, relay_other(side), rig_random_size(rig, 17));
			if (rig_random(rig, 20) == 0 && !line.far[side].has_finished)
				line.far[side].has_finished = shutdown(line.far[side].fd, SHUT_WR) == 0;
			rig_pass(rig, 0);
		}
		if (rig_random(rig, 4) == 0)
			far_close(&line, rig_random(rig, RELAY_SIDES));
		line_stop(&line);
		assert_int_equal(rig->worker.held_bytes, 0);
		assert_int_equal(rig->worker.pipes_used, 0);
		rig_pass(rig, 0);
		line_close(&line);
	}
	/* Nothing of what was thrown away comes out of a pipe later. */
	struct line *lines[] = {&line};
	line_connect(&line, rig, 0);
	line_start(&line);
	line_bulk(&line, RELAY_CLIENT, 500 * KIB);
	line_exchange(lines, 1, 600 * KIB, 17);
	line_finish(&line);
	line_close(&line);
}

/* Full of bytes, then stopped; a new line takes over pipes and memory. */
static void stop_when_full(struct rig *rig)
{
	for (unsigned i = 0; i < 4; i++) {
		struct line full, next;

		line_open(&full, rig);
		line_open(&next, rig);
		for (unsigned from = 0; from < RELAY_SIDES; from++)
			(void)line_saturate(&full, from);
		assert_true(relay_held_bytes(&full.relay, RELAY_CLIENT) > 0);
		line_stop(&full);
		assert_int_equal(rig->worker.held_bytes, 0);
		assert_int_equal(rig->worker.pipes_used, 0);
		for (unsigned from = 0; from < RELAY_SIDES; from++) {
			line_bulk(&next, from, 300 * KIB);
			(void)line_saturate(&next, from);
			line_receive(&next, relay_other(from));
		}
		line_finish(&next);
		line_close(&next);
		line_close(&full);
	}
}

/* A folder cannot be watched: the start is refused, and nothing has changed. */
static void start_refused(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		FD_AUTO int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct relay_start_options options;
		struct line line;

		assert_true(folder >= 0);
		line_connect(&line, rig, 0);
		line.prefix_bytes = 500;
		line_start_options(&line, &options);
		options.fds[side] = folder;
		assert_int_equal(relay_start(&line.relay, &rig->worker, &options), -EPERM);
		assert_false(line.relay.is_running);
		assert_int_equal(rig->worker.held_bytes, 0);
		assert_int_equal(counter_read(&counters_of(rig, "copy")->directions_now), 0);
		rig->lines_ever++;
		/* The sockets still work, and a second try does. */
		assert_int_equal(far_write(&line, side, 100), 100);
		loop_run_once(rig->loop, 0);
		line_start(&line);
		line_send(&line, relay_other(side), 5000);
		line_finish(&line);
		line_close(&line);
	}
}

static const struct engine_case cases[] = {
	{"a direction moves with its flow, when it may", moves_with_the_flow, NULL, CASE_CARRIED_ONLY},
	{"each direction chooses for itself", directions_choose_alone, NULL, CASE_CARRIED_ONLY},
	{"moves lose nothing", moves_lose_nothing, NULL, 0},
	{"an engine that is unavailable gives way to copy", unavailable, NULL, 0},
	{"each engine counts what it carried", counted_by_engine, NULL, CASE_NAMED_ONLY | CASE_CARRIED_ONLY},
	{"a stop at any moment leaves nothing behind", stop_at_random, NULL, CASE_PACKETS_TOO},
	{"a stop with everything full leaves nothing behind", stop_when_full, NULL, 0},
	{"a start that is refused changes nothing", start_refused, NULL, CASE_PACKETS_TOO},
};

int main(void)
{
	return engine_cases_run("engines: choice and stop", cases, ARRAY_LENGTH(cases));
}
