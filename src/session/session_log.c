/* A session's one line in the log, and its snapshot for the runtime socket. */

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "log/log_format.h"
#include "session/session_internal.h"

enum { LINE_BYTES = 4096 };

void session_socket_local(int fd, struct endpoint *ret_endpoint)
{
	struct address address = {.len = sizeof(address) - sizeof(address.len)};
	memset(ret_endpoint, 0, sizeof(*ret_endpoint));
	if (fd >= 0 && getsockname(fd, &address.any, &address.len) == 0)
		endpoint_from_address(&address, ret_endpoint);
}

/* Where the session was when it ended, as HAProxy's second letter has it. */
static char phase_of(const struct session *session)
{
	switch ((enum session_state)session->state) {
	case SESSION_HANDSHAKE:
	case SESSION_INSPECTING:
		return 'R';
	case SESSION_QUEUED:
		return 'Q';
	case SESSION_CHOOSING:
	case SESSION_CONNECTING:
	case SESSION_RETRYING:
		return 'C';
	case SESSION_RELAYING:
	case SESSION_DRAINING:
	case SESSION_CLOSING:
		return session->reason == CLOSE_FINISHED || session->reason == CLOSE_NONE ? '-' : 'D';
	case SESSION_CLOSED:
	case SESSION_STATES:
		break;
	}
	CHECK(false);
	return '-';
}

static void record_names(const struct session *session, struct log_record *record)
{
	record->frontend = session_frontend_config(session)->name;
	record->listener = session->listener->name;
	record->backend = session->backend != NULL ? session->backend->config->name : record->frontend;
	record->server_name = session->last_server != NULL ? session->last_server->config->name : NULL;
	record->engine_in = relay_engine_name(&session->relay, RELAY_CLIENT);
	record->engine_out = relay_engine_name(&session->relay, RELAY_SERVER);
}

static void record_times(const struct session *session, struct log_record *record)
{
	record->accepted_wall_us = session->accepted_wall_us;
	record->wait_ms = session->wait_ms;
	record->connect_ms =
		session->connect_ms >= 0 ? session->connect_ms - session->wait_ms : LOG_TIME_NONE;
	record->total_ms = (int64_t)(session_now_ms(session) - session->accepted_ms);
}

static void record_gauges(const struct session *session, struct log_record *record)
{
	record->actconn = __atomic_load_n(&session->table->limits->conn_cur, __ATOMIC_RELAXED);
	record->feconn = __atomic_load_n(&session->listener->frontend->conn_cur, __ATOMIC_RELAXED);
	record->retries = session->retries;
	record->is_redispatched = session->is_redispatched;
	if (session->backend != NULL) {
		record->beconn = __atomic_load_n(&session->backend->conn_cur, __ATOMIC_RELAXED);
		record->backend_queue = __atomic_load_n(&session->backend->queue_cur, __ATOMIC_RELAXED);
	}
	if (session->last_server != NULL) {
		record->srvconn = __atomic_load_n(&session->last_server->conn_cur, __ATOMIC_RELAXED);
		record->srv_queue = __atomic_load_n(&session->last_server->queue_cur, __ATOMIC_RELAXED);
	}
}

static void record_packets(const struct session *session, struct log_record *record)
{
	struct relay_packets in = relay_packets(&session->relay, RELAY_CLIENT);
	struct relay_packets out = relay_packets(&session->relay, RELAY_SERVER);
	record->packets_in = in.packets;
	record->packets_out = out.packets;
	record->retransmits_in = in.retransmits;
	record->retransmits_out = out.retransmits;
}

static struct log_bytes tlv_bytes(const struct session_tlv *tlv)
{
	return tlv->is_present ? (struct log_bytes){tlv->bytes, tlv->len} : (struct log_bytes){0};
}

/* What the PROXY header has brought, or why there is none. */
static void record_header(const struct session *session, struct log_record *record)
{
	const struct session_header *header = session->header;
	if (header == NULL)
		return;
	record->handshake_ms = header->wait_ms;
	if (header->complaint != NULL)
		record->end_reason = header->complaint;
	if (header->tlvs == NULL)
		return;
	record->authority = tlv_bytes(&header->tlvs->authority);
	record->unique_id = tlv_bytes(&header->tlvs->unique_id);
}

/* Of a server whose address can change, the one that was connected to. */
static void server_peer(const struct session *session, struct endpoint *ret_endpoint)
{
	struct address address = {.len = sizeof(struct sockaddr_un)};
	bool can_change = session->last_server->config->naming.resolvers != NULL;
	if (!can_change || session->server_fd < 0 ||
		getpeername(session->server_fd, &address.any, &address.len) != 0)
		server_address(session->last_server, &address);
	endpoint_from_address(&address, ret_endpoint);
}

static void record_fill(const struct session *session, bool is_early, struct log_record *record)
{
	const struct close_reason_row *row = close_reason_row(session->reason);
	memset(record, 0, sizeof(*record));
	record->id = session->id;
	record->client = session->client;
	session_frontend_local(session, &record->frontend_local);
	session_socket_local(session->server_fd, &record->backend_local);
	if (session->last_server != NULL)
		server_peer(session, &record->server);
	record_names(session, record);
	record_times(session, record);
	record_gauges(session, record);
	record->bytes_in = session->relay.directions[RELAY_CLIENT].bytes;
	record->bytes_out = session->relay.directions[RELAY_SERVER].bytes;
	record_packets(session, record);
	record->end_cause = row->letter;
	record->end_phase = phase_of(session);
	record->end_reason = row->words;
	record_header(session, record);
	record->is_early = is_early;
}

static bool is_wanted(const struct session *session, bool is_early)
{
	const struct config_proxy *config = session_frontend_config(session);
	const struct frontend *frontend = session->listener->frontend;
	if (session->table->log_ring == NULL || config->logs == NULL || frontend->log_format == NULL)
		return false;
	if (is_early)
		return true;
	/* As with HAProxy these rules leave no line. */
	if (session->reason == CLOSE_REFUSED)
		return false;
	bool is_normal = session->reason == CLOSE_FINISHED;
	if (session->is_logged_early || (config->has_dontlog_normal && is_normal))
		return false;
	if (session->reason >= CLOSE_PROXY_TIMEOUT && session->reason <= CLOSE_REJECTED)
		return true;
	bool has_data = session->relay.directions[RELAY_CLIENT].bytes > 0 ||
		session->relay.directions[RELAY_SERVER].bytes > 0;
	return has_data || !config->has_dontlognull;
}

void session_log(const struct session *session, bool is_early)
{
	struct log_record record;
	struct text text;
	char line[LINE_BYTES];
	if (!is_wanted(session, is_early))
		return;
	const struct config_proxy *config = session_frontend_config(session);
	record_fill(session, is_early, &record);
	text_init(&text, line, sizeof(line));
	log_format_render(session->listener->frontend->log_format, &record, &text);
	bool is_error = session->reason != CLOSE_FINISHED && session->reason != CLOSE_NONE;
	enum log_level level = is_error && config->has_log_separate_errors ? LOG_LEVEL_ERR : LOG_LEVEL_INFO;
	const struct log_message message = {.targets = config->logs,
		.level = level,
		.tag = config->log_tag,
		.text = text.start,
		.len = text.len};
	log_ring_write(session->table->log_ring, &message);
}

static void view_sides(const struct session *session, struct session_view *view)
{
	uint64_t now_ms = session_now_ms(session);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		const struct relay_direction *direction = &session->relay.directions[side];
		view->bytes[side] = direction->bytes;
		view->held[side] = relay_held_bytes(&session->relay, side);
		view->engines[side] = relay_engine_name(&session->relay, side);
		view->moves[side] = direction->moves;
		view->queued[side] = direction->queued;
		view->engine_ms[side] = view->engines[side] != NULL ? now_ms - direction->since_ms : 0;
		view->move_reasons[side] =
			direction->moves > 0 ? move_reason_name(direction->move_reason) : NULL;
		view->away_words[side] = relay_away_words(&session->relay, side);
		view->packets[side] = relay_packets(&session->relay, side);
		view->is_ended[side] = direction->is_ended;
		view->is_target_shut[side] = direction->is_target_shut;
		uint64_t active_ms = session->relay.active_ms[side];
		view->idle_ms[side] = now_ms - (active_ms != 0 ? active_ms : session->accepted_ms);
	}
}

void session_view(struct session *session, struct session_view *ret_view)
{
	memset(ret_view, 0, sizeof(*ret_view));
	relay_sample(&session->relay);
	ret_view->takeover_words = relay_takeover_words(&session->relay);
	ret_view->id = session->id;
	ret_view->state = session->state;
	ret_view->frontend = session_frontend_config(session)->name;
	ret_view->listener = session->listener->name;
	ret_view->backend = session->backend != NULL ? session->backend->config->name : NULL;
	ret_view->server = session->last_server != NULL ? session->last_server->config->name : NULL;
	ret_view->client = session->client;
	ret_view->peer = *session_peer(session);
	session_frontend_local(session, &ret_view->frontend_local);
	if (session->last_server != NULL)
		server_peer(session, &ret_view->server_peer);
	ret_view->client_fd = session->client_fd;
	ret_view->server_fd = session->server_fd;
	ret_view->age_ms = session_now_ms(session) - session->accepted_ms;
	ret_view->expires_in_ms = -1;
	if (loop_timer_is_set(&session->timer))
		ret_view->expires_in_ms = (int64_t)(session->timer.expires_ms - session_now_ms(session));
	ret_view->retries = session->retries;
	view_sides(session, ret_view);
}
