/* While bytes move: which engines were asked for, idle time-outs, half-closes, and
 * what the relay's end means for the session. */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "base/check.h"
#include "net/listener.h"
#include "session/session_internal.h"

enum { CONTSTATS_MS = 5000 };

/* `option splice-request` and `splice-response` force the engine of one direction,
 * `relay` names it for both; splice-auto is what auto does anyway. */
const char *session_engine_for(const struct session *session, enum relay_side from)
{
	const struct config_proxy *frontend = session_frontend_config(session);
	const struct config_proxy *backend = session->backend->config;
	bool is_forced = from == RELAY_CLIENT ? frontend->has_splice_request || backend->has_splice_request
					      : frontend->has_splice_response || backend->has_splice_response;
	if (is_forced)
		return "splice";
	if (backend->relay != NULL)
		return backend->relay;
	return frontend->relay != NULL ? frontend->relay : session->table->global->relay;
}

static bool is_open_to_wire(const char *engine)
{
	return engine == NULL || strcmp(engine, "auto") == 0 || strcmp(engine, "wire") == 0;
}

bool session_may_be_wire(const struct session *session)
{
	return session->table->relay_worker.options.wire != NULL &&
		session_peer(session)->family != AF_UNIX &&
		is_open_to_wire(session_engine_for(session, RELAY_CLIENT)) &&
		is_open_to_wire(session_engine_for(session, RELAY_SERVER));
}

void session_on_window_scale(struct relay *relay, unsigned scale_max)
{
	struct session *session = container_of(relay, struct session, relay);
	if (relay->is_takeover_named)
		listener_window_scale_lower(session->listener, scale_max);
}

static uint32_t side_timeout_ms(const struct session *session, enum relay_side side)
{
	const struct config_timeouts *frontend = &session_frontend_config(session)->timeouts;
	const struct config_timeouts *backend = &session->backend->config->timeouts;
	enum relay_side other = relay_other(side);
	/* Nothing will come for this side but what is on its way: it is half closed. */
	bool is_half_closed =
		session->relay.directions[other].is_ended || session->relay.ends[other].error != 0;
	uint32_t fin_ms = side == RELAY_CLIENT ? frontend->client_fin_ms : backend->server_fin_ms;
	if (is_half_closed && fin_ms != 0)
		return fin_ms;
	if (backend->tunnel_ms != 0)
		return backend->tunnel_ms;
	return side == RELAY_CLIENT ? frontend->client_ms : backend->server_ms;
}

/* A side owes something while it may still send, or has bytes to take.  One that is
 * held back by the other, or is broken, does not. */
static bool is_expected(const struct session *session, enum relay_side side)
{
	const struct relay *relay = &session->relay;
	if (relay->ends[side].error != 0)
		return false;
	return relay_is_blocked(relay, relay_other(side)) ||
		(!relay->directions[side].is_ended && !relay_is_blocked(relay, side));
}

/* When to look at the side again; up to now: it has timed out.  Of whom nothing is
 * expected now, something may be at any moment, and then has its whole time. */
static uint64_t side_deadline_ms(const struct session *session, enum relay_side side)
{
	uint32_t limit_ms = side_timeout_ms(session, side);
	if (limit_ms == 0)
		return UINT64_MAX;
	uint64_t since_ms =
		is_expected(session, side) ? session->relay.active_ms[side] : session_now_ms(session);
	return since_ms + limit_ms;
}

/* Traffic does not touch the timer: when it fires, the times of last activity say
 * whether it was due. */
static void timer_rearm(struct session *session)
{
	uint64_t client_ms = side_deadline_ms(session, RELAY_CLIENT);
	uint64_t server_ms = side_deadline_ms(session, RELAY_SERVER);
	uint64_t at_ms = client_ms < server_ms ? client_ms : server_ms;
	uint64_t tick_ms = session_now_ms(session) + CONTSTATS_MS;
	if (session_frontend_config(session)->has_contstats && tick_ms < at_ms)
		at_ms = tick_ms;
	if (at_ms != UINT64_MAX)
		session_timer_set(session, at_ms);
	else
		loop_timer_cancel(session->table->loop, &session->timer);
}

/* Bytes that have come and were not read: no room, or the loop was too late. */
static int unread_bytes(int fd)
{
	int bytes = 0;
	return ioctl(fd, SIOCINQ, &bytes) == 0 ? bytes : 0;
}

static bool is_anything_undelivered(const struct session *session)
{
	const int fds[RELAY_SIDES] = {session->client_fd, session->server_fd};
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		if (relay_held_bytes(&session->relay, side) > 0 ||
			session->relay.directions[side].queued > 0 || session_unsent_bytes(fds[side]) > 0 ||
			unread_bytes(fds[side]) > 0 || session->relay.ends[side].error != 0 ||
			session_socket_is_dead(fds[side]))
			return true;
	}
	return false;
}

/* Silence ends in order; bytes that could not be delivered end in a reset, for a
 * clean end would hide that they are missing. */
static void timed_out(struct session *session, enum relay_side side)
{
	enum close_reason reason = side == RELAY_CLIENT ? CLOSE_CLIENT_TIMEOUT : CLOSE_SERVER_TIMEOUT;
	enum session_farewell farewell = is_anything_undelivered(session) ? FAREWELL_RESET : FAREWELL_ORDERLY;
	session_close(session, reason, farewell, farewell);
}

void session_relay_timeout(struct session *session)
{
	uint64_t now_ms = session_now_ms(session);
	relay_sample(&session->relay);
	session_count_bytes(session);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		if (side_deadline_ms(session, side) <= now_ms) {
			timed_out(session, side);
			return;
		}
	}
	timer_rearm(session);
}

void session_relay_begin(struct session *session, unsigned server_events)
{
	const struct config_server *server = session->last_server->config;
	uint8_t prefix[SESSION_PREFIX_BYTES_MAX];
	struct relay_start_options options = {
		.fds = {session->client_fd, session->server_fd},
		.is_fast_open = {false, server->has_tfo},
		.is_local = {session_peer(session)->family == AF_UNIX,
			server->address.any.sa_family == AF_UNIX},
		.ready = {session->client_events, server_events},
		.engines = {session_engine_for(session, RELAY_CLIENT),
			session_engine_for(session, RELAY_SERVER)},
		.prefix = prefix,
		.prefix_bytes = session_announce(session, prefix),
	};
	session_enter(session, SESSION_RELAYING);
	int result = relay_start(&session->relay, &session->table->relay_worker, &options);
	if (result < 0) {
		session_close(session, CLOSE_RESOURCE, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	if (session_frontend_config(session)->has_logasap) {
		session_log(session, true);
		session->is_logged_early = true;
	}
	timer_rearm(session);
}

void session_on_half_closed(struct relay *relay, enum relay_side from)
{
	struct session *session = container_of(relay, struct session, relay);
	/* The side that was told has its whole time from now on. */
	relay->active_ms[relay_other(from)] = session_now_ms(session);
	if (session->state == SESSION_RELAYING)
		session_enter(session, SESSION_DRAINING);
	timer_rearm(session);
}

/* The healthy side has its -fin time to take what is left. */
void session_on_side_failed(struct relay *relay, enum relay_side side)
{
	struct session *session = container_of(relay, struct session, relay);
	relay->active_ms[relay_other(side)] = session_now_ms(session);
	if (session->state == SESSION_RELAYING)
		session_enter(session, SESSION_DRAINING);
	timer_rearm(session);
}

void session_on_relay_end(struct relay *relay, enum relay_outcome outcome, enum relay_side side)
{
	struct session *session = container_of(relay, struct session, relay);
	switch (outcome) {
	case RELAY_FINISHED:
		session_close(session, CLOSE_FINISHED, FAREWELL_ORDERLY, FAREWELL_ORDERLY);
		return;
	case RELAY_BROKEN:
		session_closing_begin(session, side);
		return;
	case RELAY_NO_MEMORY:
		session_close(session, CLOSE_RESOURCE, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	CHECK(false);
}
