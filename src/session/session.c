/* The life of a session: birth from an accepted socket, the table of states, the
 * end with its log line.  The steps between are in files of their own. */

#include "session/session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/socket_options.h"
#include "session/session_rules.h"

#define STATE(name) (1u << SESSION_##name)

/* From each state to these.  Timers: HANDSHAKE timeout client-hs; INSPECTING inspect-delay; QUEUED timeout queue; CONNECTING timeout
 * connect; RETRYING the turn-around or, for another server, none; RELAYING timeout client, server or tunnel;
 * DRAINING also client-fin and server-fin; CLOSING the same as DRAINING. */
static const struct {
	const char *name;
	unsigned next;
} states[SESSION_STATES] = {
	[SESSION_HANDSHAKE] = {"handshake", STATE(CHOOSING) | STATE(CLOSED)},
	[SESSION_INSPECTING] = {"inspecting", STATE(CHOOSING) | STATE(CLOSED)},
	[SESSION_CHOOSING] = {"choosing",
		STATE(INSPECTING) | STATE(QUEUED) | STATE(CONNECTING) | STATE(CLOSED)},
	[SESSION_QUEUED] = {"queued", STATE(CONNECTING) | STATE(CHOOSING) | STATE(CLOSED)},
	[SESSION_CONNECTING] = {"connecting", STATE(RELAYING) | STATE(RETRYING) | STATE(CLOSED)},
	[SESSION_RETRYING] = {"retrying", STATE(CHOOSING) | STATE(CLOSED)},
	[SESSION_RELAYING] = {"relaying", STATE(DRAINING) | STATE(CLOSING) | STATE(CLOSED)},
	[SESSION_DRAINING] = {"draining", STATE(CLOSING) | STATE(CLOSED)},
	[SESSION_CLOSING] = {"closing", STATE(CLOSED)},
	[SESSION_CLOSED] = {"closed", 0},
};

const char *session_state_name(enum session_state state)
{
	CHECK((unsigned)state < SESSION_STATES);
	return states[state].name;
}

void session_enter(struct session *session, enum session_state state)
{
	CHECK((unsigned)state < SESSION_STATES);
	CHECK(states[session->state].next & (1u << state));
	session->state = (uint8_t)state;
}

const struct config_proxy *session_frontend_config(const struct session *session)
{
	return session->listener->frontend->config;
}

void session_timer_set(struct session *session, uint64_t at_ms)
{
	loop_timer_set(session->table->loop, &session->timer, at_ms);
}

static void on_timer(struct loop_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);
	switch ((enum session_state)session->state) {
	case SESSION_HANDSHAKE:
		session_handshake_timeout(session);
		return;
	case SESSION_INSPECTING:
		session_inspect_advance(session);
		return;
	case SESSION_QUEUED:
		session_queue_timeout(session);
		return;
	case SESSION_CONNECTING:
		session_connect_timeout(session);
		return;
	case SESSION_RETRYING:
		session_enter(session, SESSION_CHOOSING);
		session_choose(session);
		return;
	case SESSION_RELAYING:
	case SESSION_DRAINING:
		session_relay_timeout(session);
		return;
	case SESSION_CLOSING:
		session_closing_check(session);
		return;
	case SESSION_CHOOSING:
	case SESSION_CLOSED:
	case SESSION_STATES:
		break;
	}
	CHECK(false);
}

/* --- the beginning --- */

static bool has_left(const struct session *session)
{
	return (session->client_events & LOOP_PEER_CLOSED) && session->backend != NULL &&
		session->backend->config->has_abortonclose;
}

/* Before relaying the client is only listened to: what it does is remembered, and
 * if it breaks the connection off no server need be bothered. */
static void on_client_early(struct loop_watch *watch, unsigned events)
{
	struct session *session = container_of(watch, struct session, relay.ends[RELAY_CLIENT].watch);
	bool is_broken = (events & LOOP_FAILED) && fd_pending_error(session->client_fd) != 0;
	session->client_events |= (uint8_t)(events & ~(unsigned)LOOP_FAILED);
	if (is_broken || has_left(session))
		session_close(session, CLOSE_CLIENT_LEFT, FAREWELL_ORDERLY, FAREWELL_RESET);
	else if (session->state == SESSION_HANDSHAKE)
		session_handshake_advance(session);
	else if (session->state == SESSION_INSPECTING && (events & (LOOP_READABLE | LOOP_PEER_CLOSED)))
		session_inspect_advance(session);
}

static void on_free(struct loop_task *task)
{
	struct session *session = container_of(task, struct session, free_task);
	session_handshake_release(session);
	pool_put(&session->table->pool, session);
}

static void session_init(
	struct session *session, struct session_table *table, int fd, const struct address *peer)
{
	session->table = table;
	session->id = table->next_id;
	table->next_id += table->ids_step;
	session->client_fd = fd;
	session->server_fd = -1;
	session->wait_ms = session->connect_ms = -1;
	session->accepted_wall_us = clock_wall_us();
	session->accepted_ms = loop_now_ms(table->loop);
	session->relay.ends[RELAY_CLIENT].watch.fd = -1;
	session->relay.ends[RELAY_SERVER].watch.fd = -1;
	endpoint_from_address(peer, &session->client);
	loop_timer_init(&session->timer, on_timer);
	loop_task_init(&session->free_task, on_free);
	list_add(&table->sessions, &session->node);
}

void session_backend_enter(struct session *session, struct backend *backend)
{
	unsigned worker = session->table->worker;
	session->backend = backend;
	gauge_max(&backend->conn_max, __atomic_add_fetch(&backend->conn_cur, 1, __ATOMIC_RELAXED));
	counter_add(&backend->counters[worker].sessions, 1);
	counter_add(&backend->counters[worker].connections, 1);
	rate_meter_count_max(&backend->rate, &backend->rate_max, session_now_ms(session));
}

static void refuse(struct session *session, size_t counter_at)
{
	unsigned worker = session->table->worker;
	struct traffic_counters *blocks[] = {
		&session->listener->frontend->counters[worker], &session->listener->counters[worker]};
	for (unsigned i = 0; i < ARRAY_LENGTH(blocks); i++)
		counter_add((counter *)(void *)((char *)blocks[i] + counter_at), 1);
	session_close(session, CLOSE_REFUSED, FAREWELL_RESET, FAREWELL_RESET);
}

void session_begin(struct session *session)
{
	struct frontend *frontend = session->listener->frontend;
	unsigned worker = session->table->worker;
	if (session_judge_session(session) == VERDICT_REJECT) {
		refuse(session, offsetof(struct traffic_counters, denied_sessions));
		return;
	}
	counter_add(&session->table->sessions_ever, 1);
	counter_add(&frontend->counters[worker].sessions, 1);
	counter_add(&session->listener->counters[worker].sessions, 1);
	session_inspect_begin(session);
}

static void begin(struct session *session)
{
	struct session_table *table = session->table;
	struct loop_watch *watch = &session->relay.ends[RELAY_CLIENT].watch;
	enum session_verdict verdict = session_judge_connection(session);
	if (verdict == VERDICT_REJECT) {
		refuse(session, offsetof(struct traffic_counters, refused_connections));
		return;
	}
	session->is_proxy_expected = verdict == VERDICT_EXPECT_PROXY;
	if (session->is_proxy_expected || session->listener->config->accept_proxy.is_on)
		session->state = SESSION_HANDSHAKE;
	if (loop_watch_add(table->loop, watch, session->client_fd, LOOP_READABLE | LOOP_WRITABLE,
		    on_client_early) < 0) {
		session_close(session, CLOSE_RESOURCE, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	if (session->state == SESSION_HANDSHAKE)
		session_handshake_begin(session);
	else
		session_begin(session);
}

void session_open(struct session_table *table, struct listener *listener, int fd, const struct address *peer)
{
	struct session *session = pool_get(&table->pool);
	if (session == NULL) {
		counter_add(&table->closes[CLOSE_RESOURCE], 1);
		close(fd);
		acceptor_release(table->limits, listener);
		return;
	}
	session_init(session, table, fd, peer);
	session->listener = listener;
	session->state = SESSION_CHOOSING;
	begin(session);
}

/* --- the end --- */

static void socket_give_back(struct session *session, enum relay_side side, enum session_farewell farewell)
{
	int *fd = side == RELAY_CLIENT ? &session->client_fd : &session->server_fd;
	struct loop_watch *watch = &session->relay.ends[side].watch;
	if (loop_watch_is_live(watch))
		loop_watch_remove(session->table->loop, watch, true);
	if (*fd >= 0 && farewell == FAREWELL_RESET)
		socket_options_abort_on_close(*fd);
	fd_close(fd);
}

static void bytes_count(struct session *session, enum relay_side from)
{
	uint64_t bytes = session->relay.directions[from].bytes - session->counted[from];
	if (bytes == 0)
		return;
	unsigned worker = session->table->worker;
	struct traffic_counters *blocks[] = {
		&session->listener->frontend->counters[worker],
		&session->listener->counters[worker],
		session->backend != NULL ? &session->backend->counters[worker] : NULL,
		session->last_server != NULL ? &session->last_server->counters[worker] : NULL,
	};
	for (unsigned i = 0; i < ARRAY_LENGTH(blocks); i++) {
		if (blocks[i] != NULL)
			counter_add(
				from == RELAY_CLIENT ? &blocks[i]->bytes_in : &blocks[i]->bytes_out, bytes);
	}
	session->counted[from] += bytes;
}

void session_count_bytes(struct session *session)
{
	bytes_count(session, RELAY_CLIENT);
	bytes_count(session, RELAY_SERVER);
}

static void times_count(const struct session *session, struct traffic_counters *block)
{
	uint64_t total_ms = session_now_ms(session) - session->accepted_ms;
	uint64_t wait_ms = session->wait_ms > 0 ? (uint64_t)session->wait_ms : 0;
	uint64_t connect_ms = session->connect_ms > 0 ? (uint64_t)session->connect_ms : 0;
	counter_add(&block->queue_ms, wait_ms);
	counter_add(&block->connect_ms, connect_ms);
	counter_add(&block->session_ms, total_ms);
	counter_max(&block->queue_ms_max, wait_ms);
	counter_max(&block->connect_ms_max, connect_ms);
	counter_max(&block->session_ms_max, total_ms);
	counter_add(&block->time_samples, 1);
}

static void blame_count(struct traffic_counters *block, enum close_reason reason)
{
	if (close_reason_row(reason)->blame == BLAME_CLIENT)
		counter_add(&block->client_aborts, 1);
	if (reason == CLOSE_SERVER_RESET || reason == CLOSE_SERVER_TIMEOUT) {
		counter_add(&block->server_aborts, 1);
		counter_add(&block->response_errors, 1);
	}
}

static void end_count(struct session *session)
{
	unsigned worker = session->table->worker;
	session_count_bytes(session);
	counter_add(&session->table->closes[session->reason], 1);
	blame_count(&session->listener->frontend->counters[worker], session->reason);
	if (session->backend != NULL) {
		blame_count(&session->backend->counters[worker], session->reason);
		times_count(session, &session->backend->counters[worker]);
	}
	if (session->last_server != NULL) {
		blame_count(&session->last_server->counters[worker], session->reason);
		times_count(session, &session->last_server->counters[worker]);
	}
}

void session_close(struct session *session, enum close_reason reason, enum session_farewell client,
	enum session_farewell server)
{
	struct session_table *table = session->table;
	CHECK(session->reason == CLOSE_NONE);
	session->reason = (uint8_t)reason;
	relay_sample(&session->relay);
	relay_stop(&session->relay);
	session_queue_leave(session);
	end_count(session);
	/* The line counts who is left, as HAProxy's does. */
	session_server_release(session);
	if (session->backend != NULL)
		__atomic_sub_fetch(&session->backend->conn_cur, 1, __ATOMIC_RELAXED);
	session_log(session, false);
	if (session_frontend_config(session)->has_nolinger)
		client = FAREWELL_RESET;
	if (session->backend != NULL && session->backend->config->has_nolinger)
		server = FAREWELL_RESET;
	/* A packet engine cannot make an orderly end where there was none. */
	if (relay_part(&session->relay, reason != CLOSE_FINISHED))
		session->client_fd = session->server_fd = -1;
	socket_give_back(session, RELAY_CLIENT, client);
	socket_give_back(session, RELAY_SERVER, server);
	acceptor_release(table->limits, session->listener);
	loop_timer_cancel(table->loop, &session->timer);
	list_remove(&session->node);
	session_enter(session, SESSION_CLOSED);
	loop_task_schedule(table->loop, &session->free_task);
}

void session_kill(struct session *session, enum close_reason reason)
{
	if (session->state != SESSION_CLOSED)
		session_close(session, reason, FAREWELL_RESET, FAREWELL_RESET);
}

/* --- the table --- */

int session_table_init(struct session_table *table)
{
	struct relay_worker_options options = table->relay_worker.options;
	options.loop = table->loop;
	options.on_window_scale = session_on_window_scale;
	options.on_half_closed = session_on_half_closed;
	options.on_side_failed = session_on_side_failed;
	options.on_end = session_on_relay_end;
	list_init(&table->sessions);
	pool_init(&table->pool, sizeof(struct session), 0);
	pool_init(&table->headers, sizeof(struct session_header), 0);
	pool_init(&table->tlvs, sizeof(struct session_tlvs), 0);
	table->room = rule_room_create();
	if (table->room == NULL)
		return -ENOMEM;
	int result = relay_worker_init(&table->relay_worker, &options);
	if (result < 0) {
		rule_room_destroy(table->room);
		table->room = NULL;
	}
	return result;
}

void session_table_kill_all(struct session_table *table, enum close_reason reason)
{
	while (!list_is_empty(&table->sessions))
		session_kill(container_of(table->sessions.next, struct session, node), reason);
}

void session_table_release(struct session_table *table)
{
	CHECK(list_is_empty(&table->sessions));
	relay_worker_release(&table->relay_worker);
	pool_release(&table->tlvs);
	pool_release(&table->headers);
	pool_release(&table->pool);
	rule_room_destroy(table->room);
	table->room = NULL;
}

struct session *session_table_next(struct session_table *table, uint64_t after_id)
{
	for (struct list *node = table->sessions.next; node != &table->sessions; node = node->next) {
		struct session *session = container_of(node, struct session, node);
		if (session->id > after_id)
			return session;
	}
	return NULL;
}

struct session *session_table_after(struct session_table *table, const struct session *session)
{
	struct list *node = session->node.next;
	return node != &table->sessions ? container_of(node, struct session, node) : NULL;
}

bool session_table_kill_server(struct session_table *table, const struct server *server,
	enum close_reason reason, uint64_t *after_id, unsigned most)
{
	struct session *session = session_table_next(table, *after_id);
	for (unsigned i = 0; session != NULL && i < most; i++) {
		struct session *next = session_table_after(table, session);
		*after_id = session->id;
		if (session->server == server)
			session_kill(session, reason);
		session = next;
	}
	return session == NULL;
}

struct session *session_table_find(struct session_table *table, uint64_t id)
{
	if (id == 0)
		return NULL;
	struct session *session = session_table_next(table, id - 1);
	return session != NULL && session->id == id ? session : NULL;
}
