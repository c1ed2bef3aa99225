/* Reaching the chosen server: the connection, its time-out, retries on the same
 * server after a turn-around, redispatch to another. */

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/connector.h"
#include "session/session_internal.h"

enum { TURN_AROUND_MS = 1000, TIMESTAMPS_BYTES = 12, TELL_AGAIN_MS = 10 * 1000 };

static void failed(struct session *session, int error);

void session_server_release(struct session *session)
{
	if (session->server == NULL)
		return;
	backend_release(session->server);
	session->server = NULL;
}

static void server_socket_drop(struct session *session)
{
	struct loop_watch *watch = &session->relay.ends[RELAY_SERVER].watch;
	if (loop_watch_is_live(watch))
		loop_watch_remove(session->table->loop, watch, true);
	fd_close(&session->server_fd);
}

/* The port may be the one that the client came to, plus an offset. */
static void destination_get(const struct session *session, struct address *ret_address)
{
	const struct config_server *config = session->server->config;
	server_address(session->server, ret_address);
	if (!config->is_port_mapped)
		return;
	struct endpoint local;
	session_frontend_local(session, &local);
	address_set_port(ret_address, (uint16_t)(local.port + config->port_offset));
}

static bool is_our_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == ENOSPC;
}

static bool is_redispatch_due(const struct session *session)
{
	const struct config_proxy *config = session->backend->config;
	int interval = config->redispatch_interval;
	int retry = session->retries;
	if (interval > 0)
		return retry % interval == 0;
	if (interval < 0) {
		int period = (int)config->retries + 1 + interval;
		return period <= 0 || retry % period == 0;
	}
	return false;
}

static void retry_elsewhere(struct session *session)
{
	unsigned worker = session->table->worker;
	counter_add(&session->last_server->counters[worker].redispatches, 1);
	counter_add(&session->backend->counters[worker].redispatches, 1);
	session->is_redispatched = true;
	/* By way of the timer: servers that refuse at once would nest as deep as there are retries. */
	session_enter(session, SESSION_RETRYING);
	session_timer_set(session, session_now_ms(session));
}

/* A server that refuses may be restarting: it gets a moment.  After a time-out it had one. */
static void retry_same(struct session *session, int error)
{
	uint32_t connect_ms = session->backend->config->timeouts.connect_ms;
	uint32_t pause_ms = connect_ms != 0 && connect_ms < TURN_AROUND_MS ? connect_ms : TURN_AROUND_MS;
	session->is_turning_same = true;
	if (error == ETIMEDOUT)
		pause_ms = 0;
	session_enter(session, SESSION_RETRYING);
	session_timer_set(session, session_now_ms(session) + pause_ms);
}

/* Where ports lack, another server has its own; and the lines say so once in a while. */
static void source_ports_lack(struct session *session)
{
	struct session_table *table = session->table;
	const struct server *server = session->last_server;
	uint64_t now_ms = session_now_ms(session);
	counter_add(&table->source_ports_missed, 1);
	if (table->source_ports_told_ms != 0 && now_ms - table->source_ports_told_ms < TELL_AGAIN_MS)
		return;
	table->source_ports_told_ms = now_ms;
	log_event(LOG_LEVEL_WARNING,
		"server %s/%s cannot be connected to: no source port is free, or the source address is not of this host (%" PRIu64
		" times in this thread so far)",
		server->backend->config->name, server->config->name,
		counter_read(&table->source_ports_missed));
}

static enum close_reason reason_of(int error)
{
	if (error == EADDRNOTAVAIL)
		return CLOSE_SOURCE_PORTS;
	if (is_our_fault(error))
		return CLOSE_RESOURCE;
	return error == ETIMEDOUT ? CLOSE_CONNECT_TIMEOUT : CLOSE_CONNECT_FAILED;
}

static void failed(struct session *session, int error)
{
	unsigned worker = session->table->worker;
	struct backend *backend = session->backend;
	server_socket_drop(session);
	loop_timer_cancel(session->table->loop, &session->timer);
	if (!is_our_fault(error))
		server_observe(session->last_server, false);
	session_server_release(session);
	if (error == EADDRNOTAVAIL)
		source_ports_lack(session);
	if (session->retries >= backend->config->retries) {
		counter_add(&session->last_server->counters[worker].connect_errors, 1);
		counter_add(&backend->counters[worker].connect_errors, 1);
		session_close(session, reason_of(error), FAREWELL_ORDERLY, FAREWELL_RESET);
		return;
	}
	session->retries++;
	if (error == EADDRNOTAVAIL || is_redispatch_due(session)) {
		retry_elsewhere(session);
		return;
	}
	counter_add(&session->last_server->counters[worker].retries, 1);
	counter_add(&backend->counters[worker].retries, 1);
	retry_same(session, error);
}

static void connected(struct session *session, unsigned events)
{
	struct server *server = session->server;
	unsigned worker = session->table->worker;
	session->connect_ms = (int32_t)(session_now_ms(session) - session->accepted_ms);
	server_observe(server, true);
	counter_add(&server->counters[worker].sessions, 1);
	__atomic_store_n(&server->last_session_wall_us, session->accepted_wall_us, __ATOMIC_RELAXED);
	session_relay_begin(session, events);
}

/* The first edge tells: writable without failure is connected. */
static void on_server_early(struct loop_watch *watch, unsigned events)
{
	struct session *session = container_of(watch, struct session, relay.ends[RELAY_SERVER].watch);
	if (events & LOOP_FAILED) {
		int result = connector_result(session->server_fd);
		if (result < 0) {
			failed(session, -result);
			return;
		}
		events = (events & ~(unsigned)LOOP_FAILED) | LOOP_WRITABLE;
	}
	if (events & LOOP_WRITABLE)
		connected(session, events);
}

/* With fast open the SYN waits for the first bytes: only when they are here already,
 * for a server that speaks first would never be reached. */
static bool has_first_bytes(const struct session *session)
{
	const struct config_send_proxy *send = &session->server->config->send_proxy;
	char byte;
	if (send->has_v1 || send->has_v2)
		return true;
	return recv(session->client_fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Packets are only ever passed on between two connections that agreed on the same. */
static bool client_mirror(
	const struct session *session, const struct address *destination, struct connect_mirror *ret_mirror)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	if (!session_may_be_wire(session) || address_is_loopback(destination) ||
		getsockopt(session->client_fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	bool has_timestamps = info.tcpi_options & TCPI_OPT_TIMESTAMPS;
	ret_mirror->segment_bytes = info.tcpi_snd_mss + (has_timestamps ? TIMESTAMPS_BYTES : 0);
	ret_mirror->window_scale = info.tcpi_options & TCPI_OPT_WSCALE ? info.tcpi_snd_wscale : 0;
	return true;
}

static int server_socket_open(struct session *session)
{
	const struct config_proxy *proxy = session->backend->config;
	const struct config_server *config = session->server->config;
	const struct config_global *global = session->table->global;
	bool has_own_source = config->source.is_set || config->source.interface != NULL;
	struct address destination;
	destination_get(session, &destination);
	struct connect_request request = {
		.destination = &destination,
		.source = has_own_source ? &config->source : &proxy->source,
		.client = &session->client,
		.keepalive = &proxy->server_keepalive,
		.congestion = session->server->congestion,
		.user_timeout_ms = config->tcp_user_timeout_ms,
		.rcvbuf_bytes = global->server_rcvbuf,
		.sndbuf_bytes = global->server_sndbuf,
		.has_smart_connect = proxy->has_smart_connect,
		.has_tfo = config->has_tfo && has_first_bytes(session),
	};
	struct connect_mirror mirror;
	if (client_mirror(session, &destination, &mirror))
		request.mirror = &mirror;
	int result = connector_open(&request, &session->server_fd);
	if (result < 0 && result != -EINPROGRESS)
		return result;
	return loop_watch_add(session->table->loop, &session->relay.ends[RELAY_SERVER].watch,
		session->server_fd, LOOP_READABLE | LOOP_WRITABLE, on_server_early);
}

void session_connect(struct session *session)
{
	uint32_t limit_ms = session->backend->config->timeouts.connect_ms;
	session_enter(session, SESSION_CONNECTING);
	session->step_ms = session_now_ms(session);
	rate_meter_count_max(&session->server->rate, &session->server->rate_max, session->step_ms);
	counter_add(&session->server->counters[session->table->worker].connections, 1);
	int result = server_socket_open(session);
	if (result < 0) {
		failed(session, -result);
		return;
	}
	if (limit_ms != 0)
		session_timer_set(session, session->step_ms + limit_ms);
	else
		loop_timer_cancel(session->table->loop, &session->timer);
}

void session_connect_timeout(struct session *session)
{
	failed(session, ETIMEDOUT);
}
