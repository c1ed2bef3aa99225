/* The engines' contract, first part: every byte arrives once, in its place, and is
 * counted. */
#include "lib_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum { LINES_MANY = 16, KIB = 1024 };

static void random_chunks(struct rig *rig)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct line line, *lines[] = {&line};

		rig->random = seed;
		/* Every other line has the system's big buffers. */
		line_connect(&line, rig, seed % 2 == 0 ? 0 : 64 * KIB);
		line_start(&line);
		line_exchange(lines, 1, 600 * KIB, 17);
		line_finish(&line);
		line_close(&line);
	}
}

static void small_chunks(struct rig *rig)
{
	struct line line, *lines[] = {&line};

	line_open(&line, rig);
	line_exchange(lines, 1, 20 * KIB, 7);
	line_finish(&line);
	line_close(&line);
}

static void many_relays(struct rig *rig)
{
	static struct line many[LINES_MANY];
	struct line *lines[LINES_MANY];

	for (unsigned i = 0; i < LINES_MANY; i++) {
		lines[i] = &many[i];
		line_connect(lines[i], rig, 16 * KIB);
		lines[i]->prefix_bytes = (uint32_t)rig_random(rig, 3000);
		line_start(lines[i]);
	}
	line_exchange(lines, LINES_MANY, 150 * KIB, 16);
	for (unsigned i = 0; i < LINES_MANY; i++)
		line_finish(lines[i]);
	for (unsigned i = 0; i < LINES_MANY; i++)
		line_close(lines[i]);
}

static void one_direction_in_bulk(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_connect(&line, rig, 0);
		line_start(&line);
		while (line.far[from].sent < 3 * KIB * KIB) {
			(void)far_write(&line, from, 200 * KIB);
			(void)far_read(&line, relay_other(from), 200 * KIB);
			rig_step(rig);
		}
		line_finish(&line);
		line_close(&line);
	}
}

static void tiny_buffers(struct rig *rig)
{
	struct line line, *lines[] = {&line};

	line_connect(&line, rig, 1);
	line_start(&line);
	/* Bytes one by one, each side reading when it likes. */
	line_exchange(lines, 1, 300, 0);
	/* Then more than fits anywhere. */
	line_exchange(lines, 1, 4 * KIB, 10);
	line_finish(&line);
	line_close(&line);
}

/* Prefix bytes. */

static void prefix_with(struct rig *rig, uint32_t prefix_bytes, uint64_t client_bytes)
{
	struct line line;

	line_connect(&line, rig, 16 * KIB);
	line.prefix_bytes = prefix_bytes;
	/* Some of what the client sends is there already. */
	for (uint64_t left = client_bytes; left > 0; left -= far_write(&line, RELAY_CLIENT, left))
		if (left < client_bytes)
			break;
	line_start(&line);
	line_send(&line, RELAY_SERVER, 100);
	assert_int_equal(relay_held_bytes(&line.relay, RELAY_CLIENT) > 0, line.relay.prefix_left > 0);
	rig_settle(rig);
	line_receive(&line, RELAY_CLIENT);
	assert_true(line.relay.prefix_left < prefix_bytes);
	while (line.far[RELAY_CLIENT].sent < client_bytes) {
		(void)far_write(&line, RELAY_CLIENT, client_bytes - line.far[RELAY_CLIENT].sent);
		(void)far_read(&line, RELAY_SERVER, 5000);
		rig_step(rig);
	}
	line_finish(&line);
	line_close(&line);
}

static void prefix_first(struct rig *rig)
{
	static const uint32_t sizes[] = {1, 107, 5000, 250 * KIB};

	for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
		prefix_with(rig, sizes[i], 0);
		prefix_with(rig, sizes[i], 1);
		prefix_with(rig, sizes[i], 300 * KIB);
	}
}

/* The client ends before the server has taken the prefix. */
static void prefix_then_end(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 16 * KIB);
	line.prefix_bytes = 250 * KIB;
	far_finish(&line, RELAY_CLIENT);
	line_start(&line);
	rig_settle(rig);
	assert_int_equal(line.half_closes[RELAY_CLIENT], 0);
	line_receive_end(&line, RELAY_SERVER);
	line_finish(&line);
	line_close(&line);
}

/* A stop before the loop has run once: the prefix goes with it. */
static void prefix_stopped(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 0);
	line.prefix_bytes = 1000;
	line_start(&line);
	assert_int_equal(relay_held_bytes(&line.relay, RELAY_CLIENT), 1000);
	assert_int_equal(rig->worker.held_bytes, 1000);
	line_stop(&line);
	assert_int_equal(rig->worker.held_bytes, 0);
	line_close(&line);
}

/* Counting. */

static uint64_t engine_bytes(const struct rig *rig)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; relay_engines[i] != NULL; i++)
		bytes += counter_read(&rig->worker.engines[i].bytes);
	return bytes;
}

static uint64_t directions_now(const struct rig *rig)
{
	uint64_t now = 0;

	for (unsigned i = 0; relay_engines[i] != NULL; i++)
		now += counter_read(&rig->worker.engines[i].directions_now);
	return now;
}

static void counters_are_exact(struct rig *rig)
{
	static const unsigned sizes[] = {1, 1000, 65536, 3, 4096};
	struct line line;
	uint64_t sent[RELAY_SIDES] = {0};

	line_open(&line, rig);
	for (unsigned i = 0; i < 4 * ARRAY_LENGTH(sizes); i++) {
		enum relay_side from = i / 3 % RELAY_SIDES;

		line_send(&line, from, sizes[i % ARRAY_LENGTH(sizes)]);
		line_receive(&line, relay_other(from));
		sent[from] += sizes[i % ARRAY_LENGTH(sizes)];
		assert_int_equal(line.relay.directions[RELAY_CLIENT].bytes, sent[RELAY_CLIENT]);
		assert_int_equal(line.relay.directions[RELAY_SERVER].bytes, sent[RELAY_SERVER]);
		assert_int_equal(engine_bytes(rig), sent[RELAY_CLIENT] + sent[RELAY_SERVER]);
		assert_int_equal(directions_now(rig), RELAY_SIDES);
		for (unsigned e = 0; relay_engines[e] != NULL; e++)
			/* It carries no unix sockets. */
			if (!rig_asks(rig, "auto") && (rig_is_tcp(rig) || !rig_asks(rig, "sockmap")) &&
				strcmp(relay_engine_name(&line.relay, from), relay_engines[e]->name) == 0)
				assert_string_equal(relay_engines[e]->name, rig->engine);
	}
	line_finish(&line);
	assert_int_equal(directions_now(rig), 0);
	line_close(&line);
}

/* Bytes that the target refused are held, and counted only when they go. */
static void held_bytes_are_told(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, from);
		uint64_t bytes = line.relay.directions[from].bytes;
		assert_true(bytes > 0);
		assert_true(relay_held_bytes(&line.relay, from) > 0);
		assert_int_equal(relay_held_bytes(&line.relay, relay_other(from)), 0);
		/* A target that refused is not tried again before it says so. */
		assert_false(line.relay.directions[from].may_write);
		assert_int_equal(engine_bytes(rig), rig->bytes_total + bytes);
		line_receive(&line, relay_other(from));
		assert_int_equal(relay_held_bytes(&line.relay, from), 0);
		line_finish(&line);
		line_close(&line);
	}
}

static void activity_is_noted(struct rig *rig)
{
	struct line line;
	uint64_t start_ms;

	line_open(&line, rig);
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		line_send(&line, from, 10);
		line_receive(&line, relay_other(from));
	}
	rig_settle(rig);
	/* Nor is a source that has given all read again. */
	for (unsigned from = 0; from < RELAY_SIDES; from++)
		assert_false(line.relay.directions[from].may_read);
	start_ms = line.relay.active_ms[RELAY_SERVER];
	while (loop_now_ms(rig->loop) < start_ms + 3)
		rig_pass(rig, 1);
	assert_int_equal(line.relay.active_ms[RELAY_SERVER], start_ms);
	assert_true(line.relay.active_ms[RELAY_CLIENT] <= start_ms);
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		uint64_t before_ms = loop_now_ms(rig->loop);

		line_send(&line, from, 10);
		line_receive(&line, relay_other(from));
		/* The sender has sent, and the receiver has taken. */
		assert_true(line.relay.active_ms[from] >= before_ms);
		assert_true(line.relay.active_ms[relay_other(from)] >= before_ms);
	}
	line_finish(&line);
	line_close(&line);
}

/* With the target full only the source is active. */
static void activity_of_one_side(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 16 * KIB);
	line_start(&line);
	(void)line_saturate(&line, RELAY_CLIENT);
	uint64_t client_ms = line.relay.active_ms[RELAY_CLIENT];
	while (loop_now_ms(rig->loop) < client_ms + 5)
		rig_pass(rig, 1);
	line_send(&line, RELAY_SERVER, 10);
	line_receive(&line, RELAY_CLIENT);
	uint64_t server_ms = line.relay.active_ms[RELAY_SERVER];
	assert_true(server_ms >= client_ms + 5);
	/* It cannot be active until its bytes have gone; then its time begins anew. */
	assert_true(relay_is_blocked(&line.relay, RELAY_CLIENT));
	assert_false(relay_is_blocked(&line.relay, RELAY_SERVER));
	while (loop_now_ms(rig->loop) < server_ms + 5)
		rig_pass(rig, 1);
	line_receive(&line, RELAY_SERVER);
	assert_true(line.relay.active_ms[RELAY_SERVER] >= server_ms + 5);
	assert_true(line.relay.active_ms[RELAY_CLIENT] >= server_ms + 5);
	assert_false(relay_is_blocked(&line.relay, RELAY_CLIENT));
	line_finish(&line);
	line_close(&line);
}

/* Watches that live already. */

static unsigned events_seen[RELAY_SIDES];

static void on_client_early(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	events_seen[RELAY_CLIENT] |= events;
}

static void on_server_early(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	events_seen[RELAY_SERVER] |= events;
}

static void line_watch_early(struct line *line)
{
	struct rig *rig = line->rig;

	events_seen[RELAY_CLIENT] = events_seen[RELAY_SERVER] = 0;
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		assert_int_equal(loop_watch_add(rig->loop, &line->relay.ends[side].watch, line->near[side],
					 LOOP_READABLE | LOOP_WRITABLE,
					 side == RELAY_CLIENT ? on_client_early : on_server_early),
			0);
}

static void line_start_early(struct line *line)
{
	struct relay_start_options options;

	/* The owner's passes: their edges do not come again. */
	for (unsigned i = 0; i < 4; i++)
		loop_run_once(line->rig->loop, 1);
	line_start_options(line, &options);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		assert_true(events_seen[side] & LOOP_WRITABLE);
		options.ready[side] = events_seen[side] & ~(unsigned)LOOP_FAILED;
	}
	assert_int_equal(relay_start(&line->relay, &line->rig->worker, &options), 0);
	line->rig->lines_ever++;
}

static void early_events(struct rig *rig)
{
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		for (unsigned has_end = 0; has_end < 2; has_end++) {
			struct line line;

			line_connect(&line, rig, 0);
			line_watch_early(&line);
			line.prefix_bytes = 50;
			assert_int_equal(far_write(&line, from, 5000), 5000);
			if (has_end)
				far_finish(&line, from);
			line_start_early(&line);
			assert_true(events_seen[from] & LOOP_READABLE);
			line_receive(&line, RELAY_CLIENT);
			line_receive(&line, RELAY_SERVER);
			line_send(&line, relay_other(from), 2000);
			line_finish(&line);
			line_close(&line);
		}
	}
}

/* Urgent data. */

enum { URGENT_IDLE, URGENT_HELD, URGENT_BLOCKED, URGENT_ENDED, URGENT_EARLY, URGENT_WAYS };

/* Bytes are held, and no more are waiting to be read. */
static void line_hold_last(struct line *line, enum relay_side from)
{
	while (relay_held_bytes(&line->relay, from) == 0) {
		line_send(line, from, 4096);
		rig_settle(line->rig);
	}
}

static void urgent_with(struct rig *rig, enum relay_side from, unsigned way)
{
	struct line line;

	line_connect(&line, rig, 64 * KIB);
	if (way == URGENT_EARLY)
		far_write_urgent(&line, from, 500);
	line_start(&line);
	if (way == URGENT_HELD)
		line_hold_last(&line, from);
	if (way == URGENT_BLOCKED || way == URGENT_ENDED) {
		(void)line_saturate(&line, from);
		line_send(&line, relay_other(from), 10);
		/* Room for what follows, but not at the target. */
		while (far_write(&line, from, 1) == 0) {
			(void)far_read(&line, relay_other(from), 4096);
			rig_step(rig);
		}
		while (line.far[from].sent - line.far[relay_other(from)].received > 100 * KIB) {
			(void)far_read(&line, relay_other(from), 4096);
			rig_step(rig);
		}
	}
	for (unsigned i = 0; i < 5; i++) {
		far_write_urgent(&line, from, 1 + i * 300);
		line_send(&line, from, 700 * i);
		if (way == URGENT_IDLE)
			line_receive(&line, relay_other(from));
	}
	if (way == URGENT_ENDED)
		far_finish(&line, from);
	rig_settle(rig);
	if (way == URGENT_HELD)
		assert_true(relay_held_bytes(&line.relay, from) > 0);
	line_receive(&line, relay_other(from));
	if (way != URGENT_ENDED)
		line_send(&line, from, 50 * KIB);
	line_send(&line, relay_other(from), 1000);
	line_finish(&line);
	line_close(&line);
}

static void urgent_in_place(struct rig *rig)
{
	for (unsigned way = 0; way < URGENT_WAYS; way++)
		for (unsigned from = 0; from < RELAY_SIDES; from++)
			urgent_with(rig, from, way);
}

static const struct rig_limits limits_small = {
	.buffer_bytes = 1000,
	.pipe_bytes = 4096,
	.pipes_max = 64,
	.held_bytes_max = 1 << 20,
};

static const struct engine_case cases[] = {
	{"random chunks arrive whole and in order, both ways", random_chunks, NULL, CASE_PACKETS_TOO},
	{"so they do through small buffers and pipes", random_chunks, &limits_small, 0},
	{"so do small messages", small_chunks, NULL, CASE_PACKETS_TOO},
	{"bulk in one direction arrives whole", one_direction_in_bulk, NULL, CASE_PACKETS_TOO},
	{"sixteen relays share a worker and disturb none of the others", many_relays, NULL, CASE_PACKETS_TOO},
	{"sockets with the smallest buffers pass bytes one by one", tiny_buffers, NULL, CASE_PACKETS_TOO},
	{"prefix bytes come first, then the client's", prefix_first, NULL, CASE_PACKETS_TOO},
	{"a client that ended is reported after the prefix", prefix_then_end, NULL, CASE_PACKETS_TOO},
	{"a stop throws the prefix away", prefix_stopped, NULL, CASE_PACKETS_TOO},
	{"every byte is counted once", counters_are_exact, NULL, 0},
	{"held bytes are told and not counted as relayed", held_bytes_are_told, NULL, 0},
	{"both sides' activity is noted", activity_is_noted, NULL, 0},
	{"a side is active when it takes bytes, too", activity_of_one_side, NULL, 0},
	{"what was ready before the start is not forgotten", early_events, NULL, CASE_PACKETS_TOO},
	{"urgent bytes stay in their place", urgent_in_place, NULL, 0},
};

int main(void)
{
	int failed = engine_cases_run("engines: bytes", cases, ARRAY_LENGTH(cases));
	if (rig_wire_has_failed_to_carry()) {
		print_error("wire took nothing over: its cases say nothing\n");
		failed++;
	}
	return failed;
}
