/* The rig: a worker, the passes of its loop, and what must hold after each. */
#include "lib_lab.h"
#include "lib_line.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "relay/sockmap_internal.h"
#include "relay/wire_hub.h"

enum {
	CASE_LIMIT_MS = 10000,
	IDLE_STEPS = 8,
	IDLE_WAIT_MS = 10,
	SETTLED_PASSES = 3,
	SETTLE_WAIT_MS = 1,
	RING_BYTES_ROOMY = 4 << 20,
	SOCKMAP_PAIRS = 64,
	WIRE_ENTRIES = 64,
};

static const struct rig_limits limits_roomy = {
	.buffer_bytes = 128 * 1024,
	.pipe_bytes = 256 * 1024,
	.pipes_max = 64,
	.held_bytes_max = 64 << 20,
	.wake_bytes = 32 * 1024,
};

/* Directions that wire has carried, in all cases. */
static uint64_t carried_ever;
static bool has_opened_lab;

bool rig_wire_has_failed_to_carry(void)
{
	return has_opened_lab && carried_ever == 0;
}

bool rig_is_tcp(const struct rig *rig)
{
	return rig->family != FAMILY_UNIX;
}

bool rig_asks(const struct rig *rig, const char *name)
{
	return strcmp(rig->engine, name) == 0;
}

uint64_t rig_random(struct rig *rig, uint64_t below)
{
	rig->random = hash_mix(rig->random + 1);
	return rig->random % below;
}

size_t rig_random_size(struct rig *rig, unsigned bits_max)
{
	return 1 + rig_random(rig, 1ULL << rig_random(rig, bits_max + 1));
}

/* Counts this process's descriptors by number, without the one that looks. */
static void fds_list(uint8_t *counts, size_t len)
{
	DIR *folder = opendir("/proc/self/fd");

	assert_non_null(folder);
	memset(counts, 0, len);
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		long fd = strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && fd != dirfd(folder) && (size_t)fd < len)
			counts[fd]++;
	}
	assert_int_equal(closedir(folder), 0);
}

/* What the owner of a relay does. */

static void on_half_closed(struct relay *relay, enum relay_side from)
{
	struct line *line = container_of(relay, struct line, relay);
	uint64_t owed = line->far[from].sent;

	assert_true(!line->is_stopped && line->ends == 0);
	assert_true(relay->is_running && relay->directions[from].is_ended);
	assert_int_equal(line->half_closes[from]++, 0);
	/* An end that was asked for comes after all the bytes. */
	if (line->far[from].has_finished && !line->far[from].is_reset)
		assert_int_equal(relay->directions[from].bytes, owed);
	if (line->stops_on_half_close)
		line_stop(line);
}

static void on_side_failed(struct relay *relay, enum relay_side side)
{
	struct line *line = container_of(relay, struct line, relay);

	assert_true(!line->is_stopped && line->ends == 0);
	assert_true(relay->is_running && relay->ends[side].error != 0);
	assert_int_equal(line->failures[side]++, 0);
}

/* Nobody will come back to what may be freed now. */
void line_check_let_go(const struct line *line)
{
	const struct relay *relay = &line->relay;

	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		assert_int_equal(relay_held_bytes(relay, side), 0);
		assert_null(relay->directions[side].held);
		assert_null(relay->directions[side].flow);
		assert_null(relay->directions[side].batch);
		assert_false(loop_watch_is_live(&relay->ends[side].watch));
	}
	assert_false(relay->is_running);
	/* A relay that never started has no nodes yet. */
	assert_true(relay->task.node.next == NULL || list_is_empty(&relay->task.node));
}

void line_near_close(struct line *line, bool is_reset)
{
	bool is_kept = !line->has_parted && relay_part(&line->relay, is_reset);
	line->has_parted = true;
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		if (is_kept)
			line->near[side] = -1;
		fd_close(&line->near[side]);
	}
}

static void on_end(struct relay *relay, enum relay_outcome outcome, enum relay_side side)
{
	struct line *line = container_of(relay, struct line, relay);

	assert_false(line->is_stopped);
	assert_int_equal(line->ends++, 0);
	line->outcome = outcome;
	line->broken_side = side;
	line_check_let_go(line);
	relay_stop(relay); /* harmless */
	/* After a failure the sockets stay open for what is still to be delivered. */
	if (outcome != RELAY_BROKEN)
		line_near_close(line, false);
}

/* One for all cases, as the programs take a while to load.  NULL: *ret_refusal says why. */
struct sockmap_table *rig_sockmap(const char **ret_refusal)
{
	static struct sockmap_table *table;
	static char refusal[SOCKMAP_REASON_MAX];

	if (table == NULL && refusal[0] == '\0')
		(void)!sockmap_table_create(SOCKMAP_PAIRS, &table, refusal);
	if (ret_refusal != NULL)
		*ret_refusal = table == NULL ? refusal : NULL;
	return table;
}

static void wire_open(struct rig *rig)
{
	const struct wire_hub_options options = {.entries_max = WIRE_ENTRIES};
	char reason[WIRE_REASON_MAX];

	if (wire_hub_create(&options, &rig->wire, reason) != 0)
		fail_msg("no wire: %s", reason);
	assert_int_equal(wire_hub_start(rig->wire, rig->loop), 0);
}

/* A worker finds out for itself only what needs no table. */
static const char *wire_refusal(void)
{
	const char *refusal = lab_refusal();
	static char reason[WIRE_REASON_MAX];
	struct wire_table *table;

	if (refusal != NULL)
		return refusal;
	if (wire_table_create(1, &table, reason) != 0)
		return reason;
	wire_table_destroy(table);
	return NULL;
}

void rig_facts(struct kernel_facts *ret_facts, const char *engine)
{
	kernel_facts_probe(NULL, ret_facts);
	if (strcmp(engine, "sockmap") == 0)
		(void)rig_sockmap(&ret_facts->sockmap_refusal);
	if (strcmp(engine, "wire") == 0)
		ret_facts->wire_refusal = wire_refusal();
}

void rig_open(struct rig *rig, const char *engine, const char *loop, enum family family,
	const struct rig_limits *limits)
{
	*rig = (struct rig){
		.engine = engine,
		.family = family,
		.limits = limits != NULL ? *limits : limits_roomy,
		.random = 1,
		.deadline_ms = clock_monotonic_ms() + CASE_LIMIT_MS,
	};
	rig->is_in_lab = rig_asks(rig, "wire");
	if (rig->is_in_lab)
		lab_enter(LAB_PROXY);
	struct sockmap_table *sockmap = rig_asks(rig, "sockmap") ? rig_sockmap(NULL) : NULL;
	fds_list(rig->fds_before, sizeof(rig->fds_before));
	list_init(&rig->lines);
	if (rig->limits.ring_bytes == 0)
		rig->limits.ring_bytes = RING_BYTES_ROOMY;
	rig->loop = loop_create_named(loop);
	assert_non_null(rig->loop);
	if (rig->is_in_lab)
		wire_open(rig);
	has_opened_lab |= rig->is_in_lab;
	const struct relay_worker_options options = {
		.loop = rig->loop,
		.buffer_bytes = rig->limits.buffer_bytes,
		.pipe_bytes = rig->limits.pipe_bytes,
		.pipes_max = rig->limits.pipes_max,
		.held_bytes_max = rig->limits.held_bytes_max,
		.wake_bytes = rig->limits.wake_bytes,
		.ring_bytes = rig->limits.ring_bytes,
		.sockmap = sockmap,
		.wire = rig->wire,
		.on_half_closed = on_half_closed,
		.on_side_failed = on_side_failed,
		.on_end = on_end,
	};
	assert_int_equal(relay_worker_init(&rig->worker, &options), 0);
}

/* Sums are compared with what the closed lines had. */
static void counters_check(struct rig *rig)
{
	uint64_t bytes = 0, ever = 0, moves = 0;

	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		const struct relay_engine_counters *counters = &rig->worker.engines[i];

		assert_int_equal(counter_read(&counters->directions_now), 0);
		bytes += counter_read(&counters->bytes);
		ever += counter_read(&counters->directions_ever);
		moves += counter_read(&counters->moves_in);
	}
	assert_int_equal(bytes, rig->bytes_total);
	assert_int_equal(moves, rig->moves_total);
	assert_int_equal(ever, RELAY_SIDES * rig->lines_ever + moves);
}

void rig_close(struct rig *rig)
{
	uint8_t fds_after[sizeof(rig->fds_before)];

	while (!list_is_empty(&rig->lines))
		line_close(container_of(rig->lines.next, struct line, node));
	/* Nothing comes for lines that are gone. */
	rig_pass(rig, 0);
	counters_check(rig);
	assert_int_equal(rig->worker.held_bytes, 0);
	assert_int_equal(rig->worker.pipes_used, 0);
	if (rig->is_in_lab)
		carried_ever += counter_read(
			&rig->worker.engines[relay_engine_index(&relay_engine_wire)].directions_ever);
	relay_worker_release(&rig->worker);
	assert_int_equal(rig->worker.pipes_made, 0);
	if (rig->wire != NULL)
		wire_hub_stop(rig->wire);
	loop_destroy(rig->loop);
	wire_hub_destroy(rig->wire);
	if (rig->is_in_lab)
		lab_leave();
	fds_list(fds_after, sizeof(fds_after));
	assert_memory_equal(fds_after, rig->fds_before, sizeof(fds_after));
}

/* What holds after every pass. */

static void direction_check(const struct line *line, enum relay_side from)
{
	const struct relay_direction *direction = &line->relay.directions[from];
	const struct rig_limits *limits = &line->rig->limits;
	uint64_t held = relay_held_bytes(&line->relay, from);
	uint64_t prefix = from == RELAY_CLIENT ? line->prefix_bytes : 0;
	uint64_t prefix_sent = from == RELAY_CLIENT ? prefix - line->relay.prefix_left : 0;
	uint64_t held_max =
		limits->buffer_bytes > limits->pipe_bytes ? limits->buffer_bytes : limits->pipe_bytes;

	if (direction->engine == &relay_engine_uring)
		held_max = limits->ring_bytes;

	assert_int_equal(direction->held != NULL, held > 0);
	assert_true(held <= held_max || held <= prefix);
	assert_true(direction->bytes <= line->far[from].sent);
	assert_true(direction->bytes + prefix_sent + held <= line->far[from].sent + prefix);
	/* While it is handed over, programs forward what nobody has counted yet. */
	if (!line->rig->is_in_lab)
		assert_true(line->far[relay_other(from)].received <= direction->bytes + prefix_sent);
}

static void rig_check(const struct rig *rig)
{
	const struct relay_worker *worker = &rig->worker;
	uint64_t held = 0, prefixes = 0, pipes = 0, rings = 0;

	for (struct list *node = rig->lines.next; node != &rig->lines; node = node->next) {
		struct line *line = container_of(node, struct line, node);

		relay_sample(&line->relay);
		for (unsigned from = 0; from < RELAY_SIDES; from++) {
			const struct relay_direction *direction = &line->relay.directions[from];

			direction_check(line, from);
			if (direction->engine == &relay_engine_copy ||
				direction->engine == &relay_engine_sockmap)
				held += relay_held_bytes(&line->relay, from);
			if (direction->engine == &relay_engine_splice)
				pipes += direction->held != NULL;
			if (direction->engine == &relay_engine_uring)
				rings += relay_held_bytes(&line->relay, from);
		}
		prefixes += line->prefix_bytes;
	}
	assert_true(held <= worker->held_bytes);
	assert_int_equal(held > 0, worker->held_bytes > 0);
	assert_true(worker->held_bytes <= rig->limits.held_bytes_max + prefixes);
	assert_true(rings <= rig->limits.ring_bytes);
	assert_int_equal(pipes, worker->pipes_used);
	assert_true(worker->pipes_used <= worker->pipes_made);
	assert_true(worker->pipes_made <= rig->limits.pipes_max);
}

void rig_pass(struct rig *rig, int wait_ms)
{
	if (clock_monotonic_ms() >= rig->deadline_ms) {
		for (struct list *node = rig->lines.next; node != &rig->lines; node = node->next)
			line_print(container_of(node, struct line, node));
		fail_msg("the case did not come to its end");
	}
	loop_run_once(rig->loop, wait_ms);
	rig_check(rig);
}

void rig_step(struct rig *rig)
{
	rig->idle_steps = rig->moved_before == rig->moved ? rig->idle_steps + 1 : 0;
	rig->moved_before = rig->moved;
	rig_pass(rig, rig->idle_steps >= IDLE_STEPS ? IDLE_WAIT_MS : 0);
}

static uint64_t progress_sum(const struct rig *rig)
{
	uint64_t sum = rig->moved;

	for (struct list *node = rig->lines.next; node != &rig->lines; node = node->next) {
		const struct line *line = container_of(node, struct line, node);

		for (unsigned from = 0; from < RELAY_SIDES; from++)
			sum += 2 * line->relay.directions[from].bytes + relay_held_bytes(&line->relay, from) +
				line->half_closes[from];
		sum += line->ends;
	}
	return sum;
}

/* Whether a relay waits for a kernel worker, and looks again soon. */
static bool is_draining(const struct rig *rig)
{
	for (struct list *node = rig->lines.next; node != &rig->lines; node = node->next) {
		const struct line *line = container_of(node, struct line, node);

		for (unsigned from = 0; from < RELAY_SIDES; from++) {
			const struct relay_direction *direction = &line->relay.directions[from];

			if (direction->engine != &relay_engine_sockmap || direction->flow == NULL)
				continue;
			const struct sockmap_way *way = sockmap_way_of(&line->relay, from);
			if (way->stage == SOCKMAP_STAGE_PASSING && !way->is_drained)
				return true;
		}
	}
	return false;
}

void rig_settle(struct rig *rig)
{
	unsigned same = 0;

	while (same < SETTLED_PASSES) {
		uint64_t before = progress_sum(rig);

		rig_pass(rig, SETTLE_WAIT_MS);
		same = progress_sum(rig) == before && !is_draining(rig) ? same + 1 : 0;
	}
}
