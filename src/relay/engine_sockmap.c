/* The sockmap engine: the kernel moves what arrives on one socket into the other's send
 * queue, and this process sleeps, as long as that loses, repeats, reorders and hoards nothing.
 * When the target has no room the programs pass the bytes, and the code of copy relays them;
 * a way to which that happens often leaves for another engine until it is quiet. */

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "relay/sockmap_internal.h"

enum {
	BRAKES_MAX = 8, /* for want of room, within */
	BRAKES_WINDOW_MS = 1000,
	PASSING_MAX_MS = 250, /* without having caught up */
	END_WAIT_MS = 2000, /* for bytes before an end that the kernel still holds */
	RETRY_MIN_MS = 10,
	AWAY_MIN_MS = 200,
	AWAY_MAX_MS = 10000,
	QUIET_MS = 50,
	TRIES_MAX = 10, /* of the doubling */
};

static uint64_t now_of(const struct relay *relay)
{
	return loop_now_ms(relay->worker->options.loop);
}

static struct sockmap_worker *state_of(const struct relay_worker *worker)
{
	return worker->engine_states[relay_engine_index(&relay_engine_sockmap)];
}

/* --- refusals --- */

static void keep_away(struct relay *relay, enum relay_side from, enum sockmap_reason reason)
{
	struct relay_direction *direction = &relay->directions[from];
	uint64_t first_ms = reason == SOCKMAP_REASON_CONGESTED ? AWAY_MIN_MS : RETRY_MIN_MS;
	uint64_t pause_ms = first_ms << direction->away_tries;
	if (direction->away_tries < TRIES_MAX)
		direction->away_tries++;
	direction->away_reason = (uint8_t)reason;
	direction->away_until_ms = UINT64_MAX;
	if (!sockmap_reason_is_final(reason))
		direction->away_until_ms = now_of(relay) + (pause_ms < AWAY_MAX_MS ? pause_ms : AWAY_MAX_MS);
	counter_add(&relay->worker->sockmap_refusals[reason], 1);
}

/* One that left comes back after a pause, when bytes do not come in bulk any more. */
static bool declines(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	if (direction->engine == &relay_engine_sockmap && direction->flow != NULL)
		return sockmap_way_of(relay, from)->stage == SOCKMAP_STAGE_LEFT;
	if (now_of(relay) < direction->away_until_ms)
		return true;
	return direction->away_reason == SOCKMAP_REASON_CONGESTED && direction->bulk_score > 0 &&
		now_of(relay) - relay->active_ms[from] < QUIET_MS;
}

/* --- PASSING --- */

static bool is_caught_up(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].held == NULL &&
		sockmap_direction_unread(sockmap_table_of(relay, from), sockmap_number_of(relay, from)) == 0;
}

/* A target that has no room now and then is no reason to go. */
static void crowd_note(struct relay *relay, enum relay_side from)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	struct sockmap_count count;
	sockmap_direction_read(sockmap_table_of(relay, from), sockmap_number_of(relay, from), &count);
	uint32_t crowded = count.refusals[SOCKMAP_ROOM] + count.refusals[SOCKMAP_QUEUE];
	if (crowded == way->crowded_seen)
		return;
	way->crowded_seen = crowded;
	if (now_of(relay) - way->window_ms > BRAKES_WINDOW_MS) {
		way->window_ms = now_of(relay);
		way->brakes = 0;
	}
	if (++way->brakes >= BRAKES_MAX)
		sockmap_leaving_add(relay, from);
}

static void halt(struct relay *relay, enum relay_side from)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	sockmap_direction_halt(
		sockmap_table_of(relay, from), sockmap_number_of(relay, from), relay->ends[from].watch.fd);
	way->is_drained = false;
	relay->directions[from].may_read = true;
}

static int brake(struct relay *relay, enum relay_side from)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	halt(relay, from);
	way->stage = SOCKMAP_STAGE_PASSING;
	way->passing_since_ms = now_of(relay);
	crowd_note(relay, from);
	return loop_watch_change(
		relay->worker->options.loop, &relay->ends[from].watch, LOOP_READABLE | LOOP_WRITABLE);
}

/* ENGINE_MORE: it is drained. */
static enum engine_progress drain(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	if (way->is_drained)
		return ENGINE_MORE;
	int drained =
		sockmap_direction_is_drained(sockmap_table_of(relay, from), sockmap_number_of(relay, from));
	if (drained < 0)
		return engine_fail(ret_failure, relay_other(from), ECONNRESET);
	if (drained == 0) {
		sockmap_pair_retry(relay, from);
		return ENGINE_WAITING;
	}
	way->is_drained = true;
	sockmap_pair_of(relay, from)->looks = 0;
	return ENGINE_MORE;
}

/* Copy relays what the programs pass; both are told of it.  Urgent data comes in band, so
 * that a short read proves as much as any. */
static enum engine_progress pump(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct relay_end *source = &relay->ends[from];
	uint64_t bytes = direction->bytes, held = relay_held_bytes(relay, from);
	bool has_urgent = source->has_urgent;
	source->has_urgent = false;
	enum engine_progress progress = relay_engine_copy.advance(relay, from, ret_failure);
	source->has_urgent = has_urgent;
	if (progress == ENGINE_FAILED && ret_failure->side != from)
		return progress;
	uint64_t sent = direction->bytes - bytes;
	struct sockmap_table *table = sockmap_table_of(relay, from);
	unsigned number = sockmap_number_of(relay, from);
	sockmap_direction_take(table, number, sent + relay_held_bytes(relay, from) - held);
	sockmap_direction_send(table, number, sent);
	return progress;
}

/* The end can be seen before bytes that were passed and wait in the source's own queue. */
static enum engine_progress ended(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	bool is_whole = is_caught_up(relay, from);
	if (way->end_seen_ms == 0)
		way->end_seen_ms = now_of(relay);
	if (!is_whole && now_of(relay) - way->end_seen_ms < END_WAIT_MS) {
		sockmap_pair_retry(relay, from);
		return ENGINE_WAITING;
	}
	if (way->source_error != 0 || !is_whole)
		return engine_fail(
			ret_failure, from, way->source_error != 0 ? way->source_error : ECONNRESET);
	/* Nothing comes any more that could be in the way of what comes back. */
	sockmap_direction_set_mode(
		sockmap_table_of(relay, from), sockmap_number_of(relay, from), SOCKMAP_REDIRECT);
	sockmap_leaving_remove(way, relay->ends[from].watch.fd);
	sockmap_way_sample(relay, from);
	way->stage = SOCKMAP_STAGE_ENDED;
	return ENGINE_SOURCE_ENDED;
}

/* --- REDIRECTING --- */

/* The two go together: what is passed on the way back would wait behind what is redirected. */
static bool is_back_busy(const struct relay *relay, enum relay_side from)
{
	enum relay_side back = relay_other(from);
	if (relay->directions[back].engine != &relay_engine_sockmap || relay->directions[back].flow == NULL)
		return false;
	const struct sockmap_way *way = sockmap_way_of(relay, back);
	return way->stage == SOCKMAP_STAGE_PASSING && (!way->is_drained || !is_caught_up(relay, back));
}

/* It may wait for this one. */
static void back_wake(struct relay *relay, enum relay_side from)
{
	enum relay_side back = relay_other(from);
	if (relay->directions[back].engine != &relay_engine_sockmap || relay->directions[back].flow == NULL ||
		sockmap_way_of(relay, back)->stage != SOCKMAP_STAGE_PASSING)
		return;
	relay->directions[back].may_read = true;
	loop_task_schedule(relay->worker->options.loop, &relay->task);
}

/* All that was there is delivered: the kernel has the next bytes, unless some came meanwhile. */
static enum engine_progress redirect(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	struct sockmap_table *table = sockmap_table_of(relay, from);
	unsigned number = sockmap_number_of(relay, from);
	way->passing_since_ms = now_of(relay);
	if (is_back_busy(relay, from))
		return ENGINE_WAITING;
	sockmap_direction_set_mode(table, number, SOCKMAP_REDIRECT);
	if (!sockmap_direction_settle(table, number)) {
		halt(relay, from);
		return ENGINE_MORE;
	}
	way->stage = SOCKMAP_STAGE_REDIRECTING;
	if (loop_watch_change(
		    relay->worker->options.loop, &relay->ends[from].watch, LOOP_WRITABLE | LOOP_ENDS) != 0)
		return engine_fail(ret_failure, from, ENOMEM);
	back_wake(relay, from);
	return ENGINE_WAITING;
}

/* Something has happened that user space must see to. */
static bool is_brake_due(const struct relay *relay, enum relay_side from)
{
	return relay->ends[from].has_peer_closed || relay->ends[from].error != 0 ||
		!is_caught_up(relay, from);
}

/* --- the work --- */

static enum engine_progress advance_passing(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct sockmap_way *way = sockmap_way_of(relay, from);
	enum engine_progress progress = drain(relay, from, ret_failure);
	if (progress != ENGINE_MORE)
		return progress;
	progress = pump(relay, from, ret_failure);
	if (progress == ENGINE_FAILED && ret_failure->side == from && ret_failure->error != ENOMEM)
		way->source_error = (uint8_t)ret_failure->error;
	if (progress == ENGINE_SOURCE_ENDED || way->source_error != 0)
		return ended(relay, from, ret_failure);
	if (progress != ENGINE_FAILED && now_of(relay) - way->passing_since_ms > PASSING_MAX_MS)
		sockmap_leaving_add(relay, from);
	if (progress != ENGINE_WAITING || direction->may_read || !is_caught_up(relay, from))
		return progress;
	return redirect(relay, from, ret_failure);
}

/* Out of the table: the other engine comes when nothing is held. */
static enum engine_progress advance_left(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	enum engine_progress progress = drain(relay, from, ret_failure);
	if (progress != ENGINE_MORE)
		return progress;
	if (direction->held != NULL) {
		direction->may_read = false;
		progress = relay_engine_copy.advance(relay, from, ret_failure);
		direction->may_read = true;
		if (progress == ENGINE_FAILED || direction->held != NULL)
			return progress;
	}
	return ENGINE_MORE;
}

static enum engine_progress enter(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	enum sockmap_reason reason = sockmap_pair_enter(state_of(relay->worker), relay, from);
	if (reason == SOCKMAP_NO_REASON) {
		direction->away_reason = SOCKMAP_NO_REASON;
		return ENGINE_MORE;
	}
	keep_away(relay, from, reason);
	return ENGINE_REFUSED;
}

static enum engine_progress advance(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	if (relay->directions[from].flow == NULL && enter(relay, from) == ENGINE_REFUSED)
		return ENGINE_REFUSED;
	struct sockmap_way *way = sockmap_way_of(relay, from);
	if (sockmap_direction_trouble(sockmap_table_of(relay, from), sockmap_number_of(relay, from)) != 0)
		return engine_fail(ret_failure, from, ENOMEM);
	if (way->stage == SOCKMAP_STAGE_LEFT) {
		if (relay->directions[from].away_reason != SOCKMAP_REASON_CONGESTED)
			keep_away(relay, from, SOCKMAP_REASON_CONGESTED);
		return advance_left(relay, from, ret_failure);
	}
	CHECK(way->stage == SOCKMAP_STAGE_PASSING || way->stage == SOCKMAP_STAGE_REDIRECTING);
	if (way->stage == SOCKMAP_STAGE_REDIRECTING && !is_brake_due(relay, from)) {
		relay->directions[from].may_read = false;
		return ENGINE_WAITING;
	}
	if (way->stage == SOCKMAP_STAGE_REDIRECTING && brake(relay, from) != 0)
		return engine_fail(ret_failure, from, ENOMEM);
	return advance_passing(relay, from, ret_failure);
}

static void discard(struct relay *relay, enum relay_side from)
{
	if (relay->directions[from].flow != NULL)
		sockmap_pair_leave(relay, from);
	relay_engine_copy.discard(relay, from);
}

static bool is_clean(const struct relay *relay, enum relay_side from)
{
	const struct sockmap_way *way = sockmap_way_of(relay, from);
	if (relay->directions[from].held != NULL)
		return false;
	return way == NULL || (way->stage == SOCKMAP_STAGE_LEFT && way->is_drained);
}

/* --- the worker's share --- */

static const char *unavailable(const struct kernel_facts *facts)
{
	return facts->sockmap_refusal;
}

static int open_worker(struct relay_worker *worker, void **ret_state)
{
	struct sockmap_worker *state = calloc(1, sizeof(*state));
	if (state == NULL)
		return -ENOMEM;
	state->table = worker->options.sockmap;
	state->loop = worker->options.loop;
	state->relay_worker = worker;
	sockmap_leaving_init(state);
	*ret_state = state;
	return sockmap_pairs_init(state);
}

static void close_worker(struct relay_worker *worker, void *state)
{
	struct sockmap_worker *sockmap = state;
	(void)worker;
	sockmap_pairs_release(sockmap);
	loop_timer_cancel(sockmap->loop, &sockmap->leave_timer);
	free(sockmap);
}

const struct relay_engine relay_engine_sockmap = {
	.name = "sockmap",
	.summary =
		"Lets the kernel move bytes from socket to socket while the target has room; for quiet and chatty connections inside a host.",
	.unavailable = unavailable,
	.open = open_worker,
	.close = close_worker,
	.advance = advance,
	.discard = discard,
	.is_clean = is_clean,
	.declines = declines,
	.sample = sockmap_way_sample,
	.takes_urgent = true,
};
