/* The clients and servers at the far ends: what they write, read and when they
 * leave, each drawn from the seed. */

#include "net_internal.h"
#include "sim_params.h"

static bool is_stopped;

uint64_t net_delay_us(void)
{
	if (sim_params.delay_ms == 0 || sim_chance(500))
		return sim_below(200);
	return (uint64_t)sim_below(sim_params.delay_ms) * SIM_US_PER_MS + sim_below(SIM_US_PER_MS);
}

void net_sooner(uint64_t *at, uint64_t us)
{
	if (us < *at)
		*at = us;
}

bool net_injects(unsigned per_mille)
{
	if (!net_has_faults || !sim_chance(per_mille))
		return false;
	net_totals.faults++;
	return true;
}

void peers_start(void)
{
	is_stopped = false;
}

bool peers_are_stopped(void)
{
	return is_stopped;
}

static uint64_t stream_len(void)
{
	return sim_chance(100) ? 0 : sim_below(sim_params.stream_bytes + 1);
}

static enum peer_ending ending_draw(void)
{
	if (sim_chance(sim_params.peer_reset))
		return PEER_RESETS;
	if (sim_chance(sim_params.peer_close))
		return PEER_CLOSES;
	if (sim_chance(sim_params.peer_silent))
		return PEER_KEEPS;
	return sim_chance(sim_params.half_closer) ? PEER_FINISHES : PEER_WAITS;
}

void peer_draw(struct net_connection *connection)
{
	struct peer *peer = &connection->peer;
	peer->write_total = stream_len();
	peer->reply_after = sim_chance(300) ? stream_len() / 4 : 0;
	peer->ending = ending_draw();
	peer->reads_until = sim_chance(sim_params.never_reader) ? stream_len() / 2 : SIM_NEVER;
	peer->resets_at = sim_chance(sim_params.peer_reset / 2) ? stream_len() : SIM_NEVER;
	peer->write_chunk = 1 + sim_below(sim_chance(200) ? 3 : sim_params.stream_bytes / 2 + 1);
	peer->read_chunk = 1 + sim_below(sim_params.rcvbuf_bytes);
	if (sim_chance(sim_params.slow_reader)) {
		peer->read_chunk = 1 + sim_below(sim_params.rcvbuf_bytes / 4 + 1);
		peer->gap_us = sim_below(50) * SIM_US_PER_MS;
	}
	/* Few enough steps for any stream. */
	if (peer->write_chunk < peer->write_total / 64)
		peer->write_chunk = (uint32_t)(peer->write_total / 64);
	if (peer->read_chunk < sim_params.stream_bytes / 64)
		peer->read_chunk = sim_params.stream_bytes / 64;
}

void peer_reset(struct net_connection *connection)
{
	struct peer *peer = &connection->peer;
	if (peer->has_reset || connection->is_abort_arrived)
		return;
	/* Segments under way may be lost for ever then, as nobody sends them again. */
	if (sim_chance(300) && !connection->in.is_fin_sent)
		connection->in.written = connection->in.arrived;
	peer->has_reset = peer->is_closed = true;
	connection->is_reset_sent = true;
	SIM_TRACE("the peer of %u resets after %llu bytes", connection->id,
		(unsigned long long)connection->in.written);
	net_sooner(&connection->in_us, sim_now_us + net_delay_us());
}

static void fin_send(struct net_connection *connection)
{
	if (connection->in.is_fin_sent)
		return;
	connection->in.is_fin_sent = true;
	SIM_TRACE("the peer of %u ends after %llu bytes", connection->id,
		(unsigned long long)connection->in.written);
	net_sooner(&connection->in_us, sim_now_us + net_delay_us());
}

static void peer_close(struct net_connection *connection)
{
	if (connection->out.taken < connection->out.arrived) {
		peer_reset(connection);
		return;
	}
	SIM_TRACE("the peer of %u closes", connection->id);
	connection->peer.is_closed = true;
	fin_send(connection);
}

static bool peer_read(struct net_connection *connection)
{
	struct net_flow *flow = &connection->out;
	struct peer *peer = &connection->peer;
	uint64_t len = flow->arrived - flow->taken;
	if (flow->taken >= peer->reads_until || len == 0)
		return false;
	flow->taken += len < peer->read_chunk ? len : peer->read_chunk;
	net_sooner(&connection->out_us, sim_now_us + net_delay_us()); /* the window opens */
	return true;
}

static bool peer_write(struct net_connection *connection)
{
	struct net_flow *flow = &connection->in;
	struct peer *peer = &connection->peer;
	uint64_t under_way = flow->written - flow->taken;
	if (flow->written >= peer->write_total || under_way >= sim_params.rcvbuf_bytes ||
		connection->out.taken < peer->reply_after)
		return false;
	uint64_t len = 1 + sim_below(peer->write_chunk);
	if (len > peer->write_total - flow->written)
		len = peer->write_total - flow->written;
	if (len > sim_params.rcvbuf_bytes - under_way)
		len = sim_params.rcvbuf_bytes - under_way;
	flow->written += len;
	net_sooner(&connection->in_us, sim_now_us + net_delay_us());
	return true;
}

/* Everything is written, or will never be since the other side has ended. */
static void peer_end(struct net_connection *connection)
{
	struct peer *peer = &connection->peer;
	switch (peer->ending) {
	case PEER_FINISHES:
		fin_send(connection);
		break;
	case PEER_WAITS:
		if (peer->saw_eof)
			fin_send(connection);
		break;
	case PEER_RESETS:
		peer_reset(connection);
		break;
	case PEER_CLOSES:
		peer_close(connection);
		break;
	case PEER_KEEPS:
		break;
	}
	if (peer->saw_eof && connection->in.is_fin_sent)
		peer->is_closed = true;
}

static void peer_notice(struct net_connection *connection)
{
	struct peer *peer = &connection->peer;
	bool has_all = connection->out.taken == connection->out.arrived;
	if (connection->is_abort_arrived)
		peer->saw_reset = true;
	else if (connection->out.is_fin_arrived && has_all)
		peer->saw_eof = true;
}

void net_peers_stop(void)
{
	is_stopped = true;
	for (unsigned i = 0; i < net_connections_count; i++) {
		struct net_connection *connection = &net_connections[i];
		if (!sim_params.is_stop_reset || connection->state == NET_GONE)
			continue;
		if (connection->state == NET_CONNECTING)
			net_sooner(&connection->in_us, sim_now_us + net_delay_us());
		if (connection->was_open && !connection->peer.is_closed)
			peer_reset(connection);
	}
}

void peer_act(struct net_connection *connection)
{
	struct peer *peer = &connection->peer;
	connection->peer_us = SIM_NEVER;
	if (is_stopped && sim_params.is_stop_reset && !peer->is_closed)
		peer_reset(connection);
	if (is_stopped || peer->is_closed || peer->saw_reset)
		return;
	bool has_read = peer_read(connection);
	peer_notice(connection);
	if (peer->saw_reset)
		return;
	if (connection->in.written + connection->out.taken >= peer->resets_at) {
		peer_reset(connection);
		return;
	}
	bool has_written = peer_write(connection);
	bool may_write_more = connection->in.written < peer->write_total && !peer->saw_eof;
	if (!may_write_more)
		peer_end(connection);
	if (has_read || has_written)
		connection->peer_us = sim_now_us + peer->gap_us + net_delay_us();
}
