/* Which engine a direction should have, from what its flow does.  Every rule
 * carries its measurement in docs/engines.md.
 *
 *   score of bulk      engine
 *   0 .. 2             copy: fewest cycles for messages, one read and one write
 *   3 (of 3) and more  splice: pages move, bytes do not
 *
 * A big read adds one, a small one takes one off; between the two marks a
 * direction keeps the engine it has.
 *
 * A takeover costs about as much as it saves in TAKEOVER_TURNS turns of the pumps or in
 * TAKEOVER_BYTES: who waits until so much has been spent never spends twice what was best. */

#include "relay/engine.h"

enum {
	BIG_READ_BYTES = 64 * 1024,
	SMALL_READ_BYTES = 16 * 1024,
	SCORE_SPLICE = 3,
	SCORE_MAX = 6,
	TAKEOVER_TURNS = 8,
	TAKEOVER_BYTES = 128 * 1024,
};

void relay_auto_learn(struct relay_direction *direction, uint32_t bytes)
{
	if (bytes >= BIG_READ_BYTES && direction->bulk_score < SCORE_MAX)
		direction->bulk_score++;
	if (bytes < SMALL_READ_BYTES && direction->bulk_score > 0)
		direction->bulk_score--;
}

/* Refused for want of a pipe or of buffers, and there are still none: to ask again
 * with every read would only count refusals. */
static bool is_still_refused(const struct relay *relay, const struct relay_direction *direction)
{
	const struct relay_engine *wanted = direction->wanted;
	return direction->was_refused && wanted->has_room != NULL && !wanted->has_room(relay->worker);
}

static const struct relay_engine *choose_by_flow(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	if (direction->bulk_score >= SCORE_SPLICE &&
		relay->worker->engine_refusals[relay_engine_index(&relay_engine_splice)] == NULL)
		return &relay_engine_splice;
	/* One that is left goes to copy first. */
	if (direction->bulk_score == 0 || direction->engine == direction->wanted)
		return &relay_engine_copy;
	return direction->engine;
}

const struct relay_engine *relay_auto_choose(
	const struct relay *relay, enum relay_side from, enum move_reason *ret_reason)
{
	const struct relay_direction *direction = &relay->directions[from];
	const struct relay_engine *wanted = direction->wanted;
	bool has_urgent = relay->ends[from].has_urgent;
	bool has_left = direction->away_reason == SOCKMAP_REASON_CONGESTED;
	*ret_reason = has_left ? MOVE_QUIET : MOVE_NAMED;
	if (wanted != NULL && (!has_urgent || wanted->takes_urgent) &&
		(wanted->declines == NULL || !wanted->declines(relay, from)))
		return is_still_refused(relay, direction) ? direction->engine : wanted;
	/* splice(2) stops before urgent data and would wait for ever. */
	*ret_reason = MOVE_URGENT;
	if (has_urgent)
		return &relay_engine_copy;
	const struct relay_engine *engine = choose_by_flow(relay, from);
	*ret_reason = engine == &relay_engine_copy ? MOVE_MESSAGES : MOVE_BULK;
	if (direction->engine == wanted && has_left)
		*ret_reason = MOVE_CONGESTED;
	return engine;
}

bool relay_auto_wants_takeover(const struct relay *relay)
{
	if (relay->is_takeover_named || relay->turns >= TAKEOVER_TURNS)
		return true;
	return relay->directions[RELAY_CLIENT].bytes + relay->directions[RELAY_SERVER].bytes >=
		TAKEOVER_BYTES;
}
