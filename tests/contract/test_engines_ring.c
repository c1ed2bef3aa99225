/* What the uring engine adds to the engines' contract: buffers that run out, and what is
 * in flight when its relay goes. */
#include "lib_cases.h"

#include <string.h>
#include <time.h>

#include "base/status.h"

enum { KIB = 1024, CROWD = 12 };

static struct relay_engine_counters *counters_of(struct rig *rig)
{
	return &rig->worker.engines[relay_engine_index(&relay_engine_uring)];
}

static void crowd_open(struct rig *rig, struct line *lines)
{
	for (unsigned i = 0; i < CROWD; i++) {
		line_connect(&lines[i], rig, 16 * KIB);
		line_start(&lines[i]);
	}
}

/* Receivers who do not read use the shared buffers up: others are carried by copy, lose
 * nothing, and come back when there is room. */
static void exhaustion_gives_way_to_copy(struct rig *rig)
{
	static struct line crowd[CROWD];
	struct line other, *others[] = {&other};

	crowd_open(rig, crowd);
	for (unsigned i = 0; i < CROWD; i++)
		(void)line_saturate(&crowd[i], RELAY_CLIENT);
	line_open(&other, rig);
	line_exchange(others, 1, 300 * KIB, 16);
	if (rig_asks(rig, "uring"))
		assert_true(counter_read(&counters_of(rig)->refusals) > 0);
	for (unsigned i = 0; i < CROWD; i++)
		line_receive(&crowd[i], RELAY_SERVER);
	line_exchange(others, 1, 600 * KIB, 12);
	if (rig_asks(rig, "uring"))
		assert_string_equal(relay_engine_name(&other.relay, RELAY_CLIENT), "uring");
	line_finish(&other);
	line_close(&other);
	for (unsigned i = 0; i < CROWD; i++) {
		line_finish(&crowd[i]);
		line_close(&crowd[i]);
	}
}

/* Stopped before the kernel has seen what was asked for, and after; the number of a
 * closed socket goes to the next line at once. */
static void what_is_in_flight_harms_nobody(struct rig *rig)
{
	static struct line line;

	for (unsigned passes = 0; passes < 6; passes++) {
		line_open(&line, rig);
		assert_true(far_write(&line, RELAY_CLIENT, 100 * KIB) > 0);
		for (unsigned i = 0; i < passes; i++)
			rig_pass(rig, 0);
		line_stop(&line);
		line_close(&line);
		/* The same memory, most likely the same numbers. */
		memset(&line, 0, sizeof(line));
		line_open(&line, rig);
		line_send(&line, RELAY_CLIENT, 50 * KIB);
		line_send(&line, RELAY_SERVER, 50 * KIB);
		line_receive(&line, RELAY_SERVER);
		line_receive(&line, RELAY_CLIENT);
		line_finish(&line);
		line_close(&line);
	}
}

static double cpu_ms(void)
{
	struct timespec used;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

/* The peer's half-close must not turn the wait for room into a rush, be it the kernel's
 * own on our behalf. */
static void a_full_half_closed_target_is_waited_for(struct rig *rig)
{
	struct line line;

	line_open(&line, rig);
	(void)line_saturate(&line, RELAY_SERVER);
	far_finish(&line, RELAY_CLIENT);
	rig_settle(rig);
	double before = cpu_ms();
	for (unsigned i = 0; i < 5; i++)
		rig_pass(rig, 20);
	assert_true(cpu_ms() - before < 40);
	line_receive(&line, RELAY_CLIENT);
	line_finish(&line);
	line_close(&line);
}

static const struct rig_limits limits_tight = {
	.buffer_bytes = 16 * KIB,
	.pipe_bytes = 16 * KIB,
	.pipes_max = 64,
	.held_bytes_max = 1 << 20,
	.ring_bytes = 256 * KIB,
};

static const struct engine_case cases[] = {
	{"buffers that are used up keep nobody from being served", exhaustion_gives_way_to_copy,
		&limits_tight, 0},
	{"what is in flight at a stop harms nobody", what_is_in_flight_harms_nobody, NULL, 0},
	{"a full target that has half-closed is waited for", a_full_half_closed_target_is_waited_for, NULL,
		0},
};

int main(void)
{
	return engine_cases_run("engines: shared buffers", cases, ARRAY_LENGTH(cases));
}
