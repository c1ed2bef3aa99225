/* The invariants after each step and at the end of a run; what a session's reason
 * for its end promises is in check_reasons.c. */

#include "checkers.h"

#include <stdlib.h>
#include <string.h>

#include "check_reasons.h"
#include "net_fake.h"
#include "session/session_internal.h"
#include "sim_params.h"
#include "world.h"

/* Bytes too few to wake for may wait so long (relay/batch.c waits far less). */
enum { FEW_BYTES_MS = 5 };

/* Gauges at the step before: a limit that was lowered leaves what there is. */
static struct {
	uint32_t limits, frontend, servers[WORLD_SERVERS_MAX];
} before;

static uint64_t finished_at_us;

void checkers_start(void)
{
	memset(&before, 0, sizeof(before));
	finished_at_us = 0;
	check_reasons_start();
}

static void gauge_check(const char *name, uint32_t value, uint32_t max, uint32_t *previous)
{
	SIM_CHECK(max == 0 || value <= max || value <= *previous, "%s is %u and was %u, its limit is %u",
		name, value, *previous, max);
	*previous = value;
}

static void gauges_check(void)
{
	unsigned sessions = world_sessions();
	uint32_t ignored = 0;
	gauge_check("the process's conn_cur", world.limits.conn_cur, world.limits.maxconn, &before.limits);
	gauge_check("the frontend's conn_cur", world.frontend->conn_cur, world.frontend->maxconn,
		&before.frontend);
	gauge_check("the listener's conn_cur", world.frontend->listeners->conn_cur,
		world.frontend->listeners->maxconn, &ignored);
	SIM_CHECK(world.limits.conn_cur == sessions && world.frontend->conn_cur == sessions &&
			world.frontend->listeners->conn_cur == sessions &&
			world.backend->conn_cur == sessions,
		"%u sessions, but conn_cur of process, frontend, listener, backend are %u %u %u %u", sessions,
		world.limits.conn_cur, world.frontend->conn_cur, world.frontend->listeners->conn_cur,
		world.backend->conn_cur);
}

static void relay_worker_check(const struct relay_worker *worker)
{
	SIM_CHECK(worker->held_bytes <= worker->options.held_bytes_max,
		"%llu bytes held, at most %llu allowed", (unsigned long long)worker->held_bytes,
		(unsigned long long)worker->options.held_bytes_max);
	SIM_CHECK(worker->pipes_used <= worker->pipes_made && worker->pipes_made <= worker->options.pipes_max,
		"%u pipes used of %u, at most %u allowed", worker->pipes_used, worker->pipes_made,
		worker->options.pipes_max);
}

static void timer_check(const struct session *session)
{
	const struct config_timeouts *timeouts = &world.backend_config.timeouts;
	uint32_t fin_ms = session->relay.directions[RELAY_SERVER].is_ended ? timeouts->client_fin_ms : 0;
	fin_ms += session->relay.directions[RELAY_CLIENT].is_ended ? timeouts->server_fin_ms : 0;
	bool must_be_set = false;
	switch ((enum session_state)session->state) {
	case SESSION_QUEUED:
		must_be_set = timeouts->queue_ms + timeouts->connect_ms > 0;
		break;
	case SESSION_CONNECTING:
		must_be_set = timeouts->connect_ms > 0;
		break;
	case SESSION_RELAYING:
	case SESSION_DRAINING:
		must_be_set = timeouts->client_ms + timeouts->server_ms + timeouts->tunnel_ms + fin_ms > 0;
		break;
	case SESSION_INSPECTING:
	case SESSION_RETRYING:
	case SESSION_CLOSING:
		must_be_set = true;
		break;
	case SESSION_HANDSHAKE:
	case SESSION_CHOOSING:
	case SESSION_CLOSED:
	case SESSION_STATES:
		sim_fail("session %llu rests in state %s", (unsigned long long)session->id,
			session_state_name(session->state));
	}
	SIM_CHECK(!must_be_set || loop_timer_is_set(&session->timer), "session %llu has no timer in state %s",
		(unsigned long long)session->id, session_state_name(session->state));
}

/* Calls check for every living session and returns how many hold a server. */
static unsigned sessions_check(void (*check)(const struct session *session), unsigned *ret_queued)
{
	unsigned holders = 0;
	*ret_queued = 0;
	for (unsigned i = 0; i < world.workers_count; i++) {
		struct list *sessions = &world.workers[i].table.sessions;
		for (struct list *node = sessions->next; node != sessions; node = node->next) {
			const struct session *session = container_of(node, struct session, node);
			holders += session->server != NULL;
			*ret_queued += session->state == SESSION_QUEUED;
			check(session);
		}
	}
	return holders;
}

/* In the queue that is for any server, and in those of single ones. */
static unsigned waiting_sum(void)
{
	unsigned sum = world.backend->queue_cur;
	for (unsigned i = 0; i < world.backend->servers_count; i++)
		sum += world.backend->servers[i].queue_cur;
	return sum;
}

void checkers_step(void)
{
	unsigned queued = 0, slots = 0;
	unsigned holders = sessions_check(timer_check, &queued);
	gauges_check();
	for (unsigned i = 0; i < world.workers_count; i++)
		relay_worker_check(&world.workers[i].table.relay_worker);
	for (unsigned i = 0; i < world.backend->servers_count; i++) {
		const struct server *server = &world.backend->servers[i];
		gauge_check("a server's conn_cur", server->conn_cur, server->maxconn, &before.servers[i]);
		slots += server->conn_cur;
	}
	SIM_CHECK(slots >= holders && slots <= holders + queued + world.limits.conn_total,
		"%u sessions hold a server, but the slots taken are %u", holders, slots);
	SIM_CHECK(waiting_sum() <= queued, "%u sessions wait, but the queues have %u", queued, waiting_sum());
}

/* --- nothing left to do --- */

static void idle_direction_check(const struct session *session, enum relay_side from)
{
	const struct relay *relay = &session->relay;
	const struct relay_direction *direction = &relay->directions[from];
	int fds[RELAY_SIDES] = {session->client_fd, session->server_fd};
	const struct net_connection *source = net_connection_of(fds[from]);
	if (direction->is_ended) {
		const struct net_connection *target = net_connection_of(fds[relay_other(from)]);
		SIM_CHECK(source->state == NET_DEAD || target->state == NET_DEAD || target->out.is_fin_sent,
			"session %llu: the end of %u is not passed on", (unsigned long long)session->id,
			source->id);
		return;
	}
	if (relay_held_bytes(relay, from) > 0) {
		const struct net_connection *target = net_connection_of(fds[relay_other(from)]);
		bool will_wake = target->has_nospace && target->out.arrived < target->out.written;
		SIM_CHECK(will_wake || !(net_poll_quietly(target->fd) & LOOP_WRITABLE),
			"session %llu: bytes of %u are held although the other side has room",
			(unsigned long long)session->id, source->id);
		return;
	}
	/* Without room to keep bytes they stay where they are while the target is full. */
	const struct net_connection *target = net_connection_of(fds[relay_other(from)]);
	bool will_wake = (target->has_nospace && target->out.arrived < target->out.written) ||
		!(net_poll_quietly(target->fd) & LOOP_WRITABLE);
	bool is_target_full = !relay->directions[from].may_write && will_wake;
	SIM_CHECK(is_target_full || !(net_poll_quietly(fds[from]) & LOOP_READABLE),
		"session %llu: what connection %u has sent is left unread", (unsigned long long)session->id,
		source->id);
	bool is_few = source->in.arrived > source->in.taken && !is_target_full;
	SIM_CHECK(!is_few || sim_now_us - source->arrived_us < FEW_BYTES_MS * SIM_US_PER_MS,
		"session %llu: the few bytes that connection %u has sent are left unread",
		(unsigned long long)session->id, source->id);
}

static void idle_check(const struct session *session)
{
	if (session->state == SESSION_RELAYING || session->state == SESSION_DRAINING) {
		idle_direction_check(session, RELAY_CLIENT);
		idle_direction_check(session, RELAY_SERVER);
	}
	if (session->state != SESSION_CLOSING)
		return;
	int fd = session->broken_side == RELAY_CLIENT ? session->server_fd : session->client_fd;
	const struct net_connection *healthy = net_connection_of(fd);
	uint64_t step_us = session->step_ms * SIM_US_PER_MS - SIM_CLOCK_START_US;
	uint64_t since_us = healthy->reset_us > step_us ? healthy->reset_us : step_us;
	SIM_CHECK(healthy->state != NET_DEAD || sim_now_us - since_us < 250 * SIM_US_PER_MS,
		"session %llu waits for bytes of a connection that is dead", (unsigned long long)session->id);
}

void checkers_idle(void)
{
	unsigned queued = 0;
	unsigned holders = sessions_check(idle_check, &queued), slots = 0;
	for (unsigned i = 0; i < world.backend->servers_count; i++)
		slots += world.backend->servers[i].conn_cur;
	SIM_CHECK(slots == holders, "%u sessions hold a server, but the slots taken are %u", holders, slots);
	SIM_CHECK(waiting_sum() == queued, "%u sessions wait, but the queues have %u", queued, waiting_sum());
	for (unsigned i = 0; queued > 0 && i < world.backend->servers_count; i++) {
		const struct server *server = &world.backend->servers[i];
		uint32_t limit = server_limit(server);
		bool has_slot = limit == 0 || server->conn_cur < limit;
		bool is_open = has_slot && server_is_usable(server);
		SIM_CHECK(!is_open || server->config->is_backup || world.backend->queue_cur == 0,
			"%u sessions wait although server %u has a slot", world.backend->queue_cur, i);
		SIM_CHECK(!is_open || server->queue_cur == 0,
			"%u sessions wait for server %u, which has a slot", server->queue_cur, i);
	}
	uint64_t tries = world.limits.conn_total + sim_now_us / (90 * SIM_US_PER_MS);
	SIM_CHECK(world.limits.exhausted <= 4 + 2 * (tries + world.changes),
		"accepting failed %llu times within %llu ms", (unsigned long long)world.limits.exhausted,
		(unsigned long long)sim_now_us / SIM_US_PER_MS);
}

/* --- the end --- */

static void counters_check(void)
{
	const struct check_totals *totals = &check_totals;
	struct traffic_counters frontend, backend, server, servers = {0};
	uint64_t closes[CLOSE_REASONS] = {0}, ever = 0, refusals = 0;
	frontend_counters(world.frontend, &frontend);
	backend_counters(world.backend, &backend);
	for (unsigned i = 0; i < world.backend->servers_count; i++) {
		server_counters(&world.backend->servers[i], &server);
		traffic_counters_add(&servers, &server);
	}
	SIM_CHECK(frontend.bytes_in == totals->bytes_in && backend.bytes_in == totals->bytes_in &&
			servers.bytes_in == totals->bytes_in && frontend.bytes_out == totals->bytes_out &&
			backend.bytes_out == totals->bytes_out && servers.bytes_out == totals->bytes_out,
		"bytes counted: %llu and %llu; moved: %llu and %llu", (unsigned long long)frontend.bytes_in,
		(unsigned long long)frontend.bytes_out, (unsigned long long)totals->bytes_in,
		(unsigned long long)totals->bytes_out);
	for (unsigned i = 0; i < world.workers_count; i++) {
		const struct session_table *table = &world.workers[i].table;
		for (unsigned reason = 0; reason < CLOSE_REASONS; reason++)
			closes[reason] += table->closes[reason];
		ever += table->sessions_ever;
		refusals += table->pool.refusals;
	}
	for (unsigned reason = 0; reason < CLOSE_REASONS; reason++)
		SIM_CHECK(
			closes[reason] == totals->closes[reason] + (reason == CLOSE_RESOURCE ? refusals : 0),
			"closes for reason %s: %llu counted, %llu seen", close_reason_row(reason)->label,
			(unsigned long long)closes[reason], (unsigned long long)totals->closes[reason]);
	SIM_CHECK(
		frontend.connections == net_totals.accepted && world.limits.conn_total == net_totals.accepted,
		"%llu connections counted, %llu accepted", (unsigned long long)frontend.connections,
		(unsigned long long)net_totals.accepted);
	SIM_CHECK(totals->ended + refusals == net_totals.accepted && ever == frontend.sessions,
		"%llu sessions ended and %llu were refused of %llu accepted",
		(unsigned long long)totals->ended, (unsigned long long)refusals,
		(unsigned long long)net_totals.accepted);
	SIM_CHECK(frontend.client_aborts == totals->client_aborts &&
			backend.server_aborts == totals->server_aborts,
		"aborts of clients and servers are counted wrongly");
}

void checkers_end(void)
{
	for (unsigned i = 0; i < world.workers_count; i++) {
		const struct session_table *table = &world.workers[i].table;
		SIM_CHECK(table->pool.used == 0, "%u sessions are left in the pool", table->pool.used);
		SIM_CHECK(table->relay_worker.held_bytes == 0 && table->relay_worker.pipes_used == 0,
			"%llu bytes and %u pipes are left held",
			(unsigned long long)table->relay_worker.held_bytes, table->relay_worker.pipes_used);
		for (unsigned engine = 0; engine < RELAY_ENGINES_MAX; engine++)
			SIM_CHECK(table->relay_worker.engines[engine].directions_now == 0,
				"engine %u still counts directions", engine);
	}
	for (unsigned i = 0; i < world.backend->servers_count; i++)
		SIM_CHECK(world.backend->servers[i].conn_cur == 0, "server %u has %u slots taken at the end",
			i, world.backend->servers[i].conn_cur);
	SIM_CHECK(world.limits.conn_cur == 0 && world.frontend->conn_cur == 0 &&
			world.backend->conn_cur == 0 && waiting_sum() == 0,
		"a gauge is not back at 0");
	counters_check();
	check_reasons_end();
}
