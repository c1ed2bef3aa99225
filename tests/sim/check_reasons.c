/* Each way a session may end, and whether the peers see what that means. */

#include "check_reasons.h"

#include <string.h>

#include "checkers.h"
#include "net_fake.h"
#include "session/session_internal.h"
#include "sim_params.h"
#include "world.h"

enum { CLOSING_LIMIT_MS = 30000 };

struct check_totals check_totals;

/* What the peer of a connection must have seen when all is over. */
struct promise {
	bool is_ended, must_see_end, must_see_reset;
	uint64_t bytes; /* to have arrived at least; all of them with an end */
};
static struct promise promises[NET_CONNECTIONS_MAX];

/* One session at its end. */
struct ending {
	const struct session *session;
	struct net_connection *sides[RELAY_SIDES]; /* the server's may be NULL */
};

void check_reasons_start(void)
{
	memset(&check_totals, 0, sizeof(check_totals));
	memset(promises, 0, sizeof(promises));
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* All was received and handed on, both ways. */
static void finished_check(const struct ending *ending)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		const struct net_connection *source = ending->sides[side];
		const struct net_connection *target = ending->sides[relay_other(side)];
		SIM_CHECK(source != NULL && target != NULL && source->in.is_fin_arrived,
			"finished although the %s has not ended", side == RELAY_CLIENT ? "client" : "server");
		SIM_CHECK(target->out.written == source->in.written,
			"finished with %llu of %llu bytes of connection %u handed on",
			(unsigned long long)target->out.written, (unsigned long long)source->in.written,
			source->id);
		struct promise *promise = &promises[target->id];
		promise->must_see_end = !sim_params.has_nolinger;
		promise->bytes = sim_params.has_nolinger ? 0 : source->in.written;
	}
}

static uint32_t closing_limit_ms(enum relay_side healthy)
{
	uint32_t fin_ms = healthy == RELAY_CLIENT ? sim_params.client_fin_ms : sim_params.server_fin_ms;
	return fin_ms != 0 ? fin_ms : CLOSING_LIMIT_MS;
}

/* What the broken side had sent must reach the other one, then a reset. */
static void broken_check(const struct ending *ending, enum relay_side side)
{
	const struct net_connection *broken = ending->sides[side];
	const struct net_connection *healthy = ending->sides[relay_other(side)];
	SIM_CHECK(broken != NULL && healthy != NULL && broken->is_reset_arrived,
		"the session says that connection %u broke off, which did not",
		broken != NULL ? broken->id : NET_CONNECTIONS_MAX);
	if (healthy->is_reset_arrived)
		return;
	SIM_CHECK(healthy->out.written == broken->in.arrived,
		"%llu of %llu bytes that came before the reset of %u were handed on",
		(unsigned long long)healthy->out.written, (unsigned long long)broken->in.arrived, broken->id);
	uint64_t waited_us = sim_now_us - later(broken->reset_us, healthy->active_us);
	bool is_delivered = healthy->out.arrived == healthy->out.written;
	SIM_CHECK(is_delivered || waited_us / SIM_US_PER_MS + 1 >= closing_limit_ms(relay_other(side)),
		"the reset overtakes %llu bytes towards the peer of %u",
		(unsigned long long)(healthy->out.written - healthy->out.arrived), healthy->id);
	struct promise *promise = &promises[healthy->id];
	promise->must_see_reset = true;
	promise->bytes = is_delivered ? healthy->out.written : 0;
}

/* How long the side may be silent now. */
static uint32_t idle_limit_ms(const struct ending *ending, enum relay_side side)
{
	bool is_client = side == RELAY_CLIENT;
	uint32_t fin_ms = is_client ? sim_params.client_fin_ms : sim_params.server_fin_ms;
	bool is_other_broken = ending->session->relay.ends[relay_other(side)].error != 0;
	if ((is_other_broken || ending->session->relay.directions[relay_other(side)].is_ended) && fin_ms != 0)
		return fin_ms;
	if (sim_params.tunnel_ms != 0)
		return sim_params.tunnel_ms;
	return is_client ? sim_params.client_ms : sim_params.server_ms;
}

/* Whose bytes we keep because the other side does not take them cannot send more. */
static bool is_held_back(const struct ending *ending, enum relay_side side)
{
	const struct net_connection *source = ending->sides[side], *target = ending->sides[relay_other(side)];
	bool owes = target->in.arrived > source->out.written;
	return source->in.taken > target->out.written && !owes &&
		!ending->session->relay.directions[side].is_ended;
}

/* Silence may end in order, but must not hide that bytes are missing. */
static void silence_check(const struct ending *ending, enum relay_side side)
{
	const struct net_connection *silent = ending->sides[side];
	uint64_t idle_ms = (sim_now_us - silent->active_us) / SIM_US_PER_MS;
	uint32_t limit_ms = idle_limit_ms(ending, side);
	SIM_CHECK(limit_ms > 0 && idle_ms + 1 >= limit_ms,
		"connection %u timed out after %llu ms of silence, its limit is %u ms", silent->id,
		(unsigned long long)idle_ms, limit_ms);
	SIM_CHECK(!is_held_back(ending, side), "connection %u is held back by us and timed out", silent->id);
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		const struct net_connection *source = ending->sides[from];
		/* What comes in the very moment of the decision nobody can know of. */
		if (sim_params.jitter > 0)
			continue;
		promises[ending->sides[relay_other(from)]->id].bytes =
			source->is_reset_arrived ? UINT64_MAX : source->in.arrived;
	}
}

static void connect_failure_check(const struct ending *ending)
{
	SIM_CHECK(ending->session->retries == sim_params.retries, "given up after %u retries of %u",
		ending->session->retries, sim_params.retries);
	SIM_CHECK(ending->session->connect_ms < 0, "a connection that was made has failed");
}

static void queue_timeout_check(const struct ending *ending)
{
	uint32_t limit_ms = sim_params.queue_ms != 0 ? sim_params.queue_ms : sim_params.connect_ms;
	uint64_t waited_ms = (sim_now_us - ending->sides[RELAY_CLIENT]->opened_us) / SIM_US_PER_MS;
	SIM_CHECK(waited_ms + 1 >= limit_ms, "left the queue after %llu ms, the limit is %u",
		(unsigned long long)waited_ms, limit_ms);
}

static void client_left_check(const struct ending *ending)
{
	const struct net_connection *client = ending->sides[RELAY_CLIENT];
	SIM_CHECK(client->is_reset_arrived || (sim_params.has_abortonclose && client->in.is_fin_arrived),
		"client %u has not left", client->id);
}

static void reason_check(const struct ending *ending)
{
	switch ((enum close_reason)ending->session->reason) {
	case CLOSE_FINISHED:
		finished_check(ending);
		return;
	case CLOSE_CLIENT_RESET:
		broken_check(ending, RELAY_CLIENT);
		return;
	case CLOSE_SERVER_RESET:
		broken_check(ending, RELAY_SERVER);
		return;
	case CLOSE_CLIENT_TIMEOUT:
		silence_check(ending, RELAY_CLIENT);
		return;
	case CLOSE_SERVER_TIMEOUT:
		silence_check(ending, RELAY_SERVER);
		return;
	case CLOSE_CONNECT_FAILED:
	case CLOSE_CONNECT_TIMEOUT:
		connect_failure_check(ending);
		return;
	case CLOSE_QUEUE_TIMEOUT:
		queue_timeout_check(ending);
		return;
	case CLOSE_QUEUE_FULL:
		SIM_CHECK(sim_params.maxqueue > 0, "the queue has no limit and is full");
		return;
	case CLOSE_NO_SERVER:
		SIM_CHECK(!backend_has_usable(world.backend), "no server, although one is usable");
		return;
	case CLOSE_CLIENT_LEFT:
		client_left_check(ending);
		return;
	case CLOSE_RESOURCE:
		SIM_CHECK(net_totals.faults > 0, "nothing was refused, but resources ran out");
		return;
	case CLOSE_SOURCE_PORTS:
		SIM_CHECK(net_totals.faults > 0, "nothing was refused, but source ports ran out");
		return;
	case CLOSE_KILLED:
	case CLOSE_SHUTDOWN:
	case CLOSE_SERVER_DOWN:
	case CLOSE_SERVER_UP:
		SIM_CHECK(world.kills > 0, "killed by nobody");
		return;
	case CLOSE_NO_BACKEND:
		SIM_CHECK(sim_params.is_backendless, "there is a backend");
		return;
	case CLOSE_REJECTED:
	case CLOSE_REFUSED:
	case CLOSE_PROXY_TIMEOUT:
	case CLOSE_PROXY_INVALID:
	case CLOSE_PROXY_UNTRUSTED:
	case CLOSE_NONE:
	case CLOSE_REASONS:
		break;
	}
	sim_fail("session %llu ended with reason %u", (unsigned long long)ending->session->id,
		ending->session->reason);
}

static void totals_count(const struct ending *ending)
{
	struct check_totals *totals = &check_totals;
	const struct net_connection *client = ending->sides[RELAY_CLIENT],
				    *server = ending->sides[RELAY_SERVER];
	enum close_blame blame = close_reason_row(ending->session->reason)->blame;
	unsigned reason = ending->session->reason;
	totals->ended++;
	totals->closes[reason]++;
	totals->bytes_in += server != NULL ? server->out.written : 0;
	totals->bytes_out += client->out.written;
	totals->client_aborts += blame == BLAME_CLIENT;
	totals->server_aborts += reason == CLOSE_SERVER_RESET || reason == CLOSE_SERVER_TIMEOUT;
}

void __wrap_session_log(const struct session *session, bool is_early)
{
	struct ending ending = {.session = session};
	struct net_connection *client = net_connection_of(session->client_fd);
	struct net_connection *server = net_connection_of(session->server_fd);
	if (is_early)
		return;
	SIM_TRACE("session %llu of client %u ends: %s", (unsigned long long)session->id, client->id,
		close_reason_row(session->reason)->label);
	SIM_CHECK(!promises[client->id].is_ended, "the session of client %u ends twice", client->id);
	promises[client->id].is_ended = true;
	ending.sides[RELAY_CLIENT] = client;
	ending.sides[RELAY_SERVER] = server;
	SIM_CHECK(session->relay.directions[RELAY_SERVER].bytes == client->out.written &&
			session->relay.directions[RELAY_CLIENT].bytes ==
				(server != NULL ? server->out.written : 0),
		"session %llu counts other bytes than were sent", (unsigned long long)session->id);
	reason_check(&ending);
	totals_count(&ending);
}

/* Peers that broke off themselves are promised nothing. */
static void promise_check(const struct net_connection *connection)
{
	const struct promise *promise = &promises[connection->id];
	if (connection->peer.has_reset || connection->is_reset_arrived)
		return;
	SIM_CHECK(!promise->must_see_end || (connection->out.is_fin_arrived && !connection->is_abort_arrived),
		"the peer of %u does not see the end of its stream", connection->id);
	SIM_CHECK(!promise->must_see_reset || connection->is_abort_arrived,
		"the peer of %u does not see a reset", connection->id);
	bool has_clean_end = connection->out.is_fin_arrived && !connection->is_abort_arrived;
	bool is_promised = has_clean_end || promise->must_see_reset;
	SIM_CHECK(!is_promised || connection->out.arrived >= promise->bytes,
		"the peer of %u got %llu bytes before the end, not %llu", connection->id,
		(unsigned long long)connection->out.arrived, (unsigned long long)promise->bytes);
}

void check_reasons_end(void)
{
	for (unsigned i = 0; i < net_connections_count; i++)
		promise_check(&net_connections[i]);
}
