/* A relay that is carried by the packet programs: what they have counted, and its ends. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "relay/wire_internal.h"

enum {
	RESET_LOOK_MS = 100,
	RESET_QUIET_MS = 60,
	RESET_FALSE_MS = 1000,
};

static void counters_take(struct wire_entry *entry, const struct wire_hot hot[RELAY_SIDES])
{
	struct relay_engine_counters *counters =
		&entry->worker->engines[relay_engine_index(&relay_engine_wire)];
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		counter_add(&counters->packets, hot[side].packets - entry->packets_counted[side]);
		counter_add(&counters->retransmits,
			(uint32_t)(hot[side].retransmits - entry->retransmits_counted[side]));
		entry->packets_counted[side] = hot[side].packets;
		entry->retransmits_counted[side] = hot[side].retransmits;
	}
}

/* Bytes of the stream, each once, whatever was repeated; the end takes a number, too. */
static uint64_t bytes_of(const struct wire_entry *entry, const struct wire_hot *hot, unsigned side)
{
	uint64_t bytes = hot->seq_max - entry->position_before[side];
	bool has_end = (hot->state & WIRE_FIN) && (uint32_t)hot->seq_max == hot->fin_end;
	return entry->bytes_before[side] + bytes - (has_end && bytes > 0);
}

/* A side is active when it sends something new or takes something new, not when it only
 * shows that it is there. */
static void activity_note(
	struct relay *relay, struct wire_entry *entry, const struct wire_hot *hot, unsigned side)
{
	uint64_t progress = hot->seq_max + hot->ack_max;
	uint64_t at_ms = hot->last_ns / 1000000, now_ms = loop_now_ms(entry->loop);
	if (progress == entry->progress[side])
		return;
	entry->progress[side] = progress;
	if (at_ms > now_ms)
		at_ms = now_ms;
	if (at_ms > relay->active_ms[side])
		relay->active_ms[side] = at_ms;
}

/* Bytes are on their way to the far host, or it has no room for more: then time runs for it,
 * and for the source again when it can go on. */
static void blocked_note(struct relay *relay, const struct wire_entry *entry,
	const struct wire_hot hot[RELAY_SIDES], unsigned side)
{
	unsigned other = relay_other(side);
	struct relay_direction *direction = &relay->directions[side];
	const struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	uint32_t taken = (uint32_t)hot[other].ack_max + pair->path[other].ack_delta;
	bool is_underway = (int32_t)((uint32_t)hot[side].seq_max - taken) > 0;
	direction->is_target_shut = hot[other].last_window == 0;
	bool is_blocked = is_underway || direction->is_target_shut;
	if (is_blocked == direction->is_blocked)
		return;
	direction->is_blocked = is_blocked;
	relay->active_ms[is_blocked ? other : side] = loop_now_ms(entry->loop);
}

void wire_sample(struct relay *relay)
{
	struct wire_entry *entry = relay->taken;
	struct wire_hot hot[RELAY_SIDES];
	struct wire_cold cold[RELAY_SIDES];
	struct relay_engine_counters *counters =
		&relay->worker->engines[relay_engine_index(&relay_engine_wire)];
	if (entry->stage == WIRE_STAGE_WATCH)
		return;
	wire_flow_read(wire_entry_table(entry), entry->index, hot, cold);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct relay_direction *direction = &relay->directions[side];
		uint64_t bytes = bytes_of(entry, &hot[side], side);
		/* Before, the pumps count. */
		if (bytes > direction->bytes && entry->stage >= WIRE_STAGE_ACTIVE) {
			counter_add(&counters->bytes, bytes - direction->bytes);
			direction->bytes = bytes;
		}
		blocked_note(relay, entry, hot, side);
		activity_note(relay, entry, &hot[side], side);
	}
	counters_take(entry, hot);
}

struct relay_packets wire_packets(const struct relay *relay, enum relay_side from)
{
	const struct wire_entry *entry = relay->taken;
	return (struct relay_packets){
		.packets = entry->packets_counted[from],
		.retransmits = entry->retransmits_counted[from],
	};
}

static void finish(struct wire_entry *entry, enum relay_outcome outcome, enum relay_side side)
{
	entry->has_ended = true;
	wire_sample(entry->relay);
	relay_takeover_finish(entry->relay, outcome, side, outcome == RELAY_BROKEN ? ECONNRESET : 0);
}

/* A reset may be forged, or out of place: the receiver decides, and then nothing comes any
 * more. */
void wire_reset_look(struct wire_entry *entry)
{
	struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	uint64_t newest_ns =
		pair->hot[0].last_ns > pair->hot[1].last_ns ? pair->hot[0].last_ns : pair->hot[1].last_ns;
	uint64_t now_ms = loop_now_ms(entry->loop);
	if (entry->reset_ms == 0)
		return;
	if (newest_ns / 1000000 + RESET_QUIET_MS <= now_ms) {
		finish(entry, RELAY_BROKEN, pair->hot[0].state & WIRE_RST ? RELAY_CLIENT : RELAY_SERVER);
		return;
	}
	if (now_ms - entry->reset_ms < RESET_FALSE_MS) {
		loop_timer_set(entry->loop, &entry->timer, now_ms + RESET_LOOK_MS);
		return;
	}
	entry->reset_ms = 0;
	counter_add(&entry->worker->wire_false_resets, 1);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		__atomic_fetch_and(&pair->hot[side].state, ~(uint32_t)WIRE_RST, __ATOMIC_RELAXED);
}

void wire_forwarded_count(struct wire_entry *entry)
{
	const struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	struct relay_engine_counters *counters =
		&entry->worker->engines[relay_engine_index(&relay_engine_wire)];
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct relay_direction *direction = &entry->relay->directions[side];
		unsigned target = relay_other(side);
		int64_t further = (int64_t)(pair->hot[target].ack_max - entry->written_before[target]);
		/* An end has a number, too. */
		if (pair->hot[target].state & WIRE_FINACK)
			further--;
		if (further <= 0 || entry->bytes_before[side] + (uint64_t)further <= direction->bytes)
			continue;
		uint64_t bytes = entry->bytes_before[side] + (uint64_t)further;
		counter_add(&counters->bytes, bytes - direction->bytes);
		direction->bytes = bytes;
	}
}

bool wire_sockets_look(struct wire_entry *entry)
{
	if (entry->has_ended)
		return true;
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct tcp_info info = {0};
		socklen_t len = sizeof(info);
		if (getsockopt(entry->fds[side], IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
			info.tcpi_state != TCP_CLOSE)
			continue;
		finish(entry, RELAY_BROKEN, side);
		return true;
	}
	return false;
}

void wire_ends_look(struct wire_entry *entry)
{
	enum { OVER = WIRE_FIN | WIRE_FINACK };
	struct relay *relay = entry->relay;
	struct wire_hot hot[RELAY_SIDES];
	struct wire_cold cold[RELAY_SIDES];
	wire_flow_read(wire_entry_table(entry), entry->index, hot, cold);
	if ((hot[0].state & OVER) == OVER && (hot[1].state & OVER) == OVER) {
		finish(entry, RELAY_FINISHED, RELAY_CLIENT);
		return;
	}
	if (((hot[0].state | hot[1].state) & WIRE_RST) && entry->reset_ms == 0) {
		entry->reset_ms = loop_now_ms(entry->loop);
		loop_timer_set(entry->loop, &entry->timer, entry->reset_ms + RESET_LOOK_MS);
	}
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if ((hot[side].state & WIRE_FIN) && !relay->directions[side].is_ended)
			relay_takeover_half_closed(relay, side);
}
