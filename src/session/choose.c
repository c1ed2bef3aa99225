/* Which server: asks the backend, waits in its queue when every server is full. */

#include <stdlib.h>

#include "base/check.h"
#include "session/session_rules.h"

static void waited(struct session *session)
{
	session->wait_ms = (int32_t)(session_now_ms(session) - session->accepted_ms);
}

/* No server was reached: an error of the backend, as HAProxy counts it. */
static void give_up(struct session *session, enum close_reason reason)
{
	waited(session);
	counter_add(&session->backend->counters[session->table->worker].connect_errors, 1);
	session_close(session, reason, FAREWELL_ORDERLY, FAREWELL_RESET);
}

static void server_take(struct session *session, struct server *server)
{
	session->server = server;
	session->last_server = server;
	counter_add(&server->counters[session->table->worker].balanced, 1);
	counter_add(&session->backend->counters[session->table->worker].balanced, 1);
	waited(session);
	session_connect(session);
}

/* Runs on our loop, maybe after the session has left. */
static void on_grant(struct queue_waiter *waiter)
{
	struct session_wait *wait = container_of(waiter, struct session_wait, waiter);
	struct session *session = wait->session;
	struct server *server = waiter->server;
	free(wait);
	if (session == NULL) {
		backend_release(server);
		return;
	}
	session->wait = NULL;
	server_take(session, server);
}

static void enter_queue(struct session *session, const struct choose_request *request)
{
	const struct config_timeouts *timeouts = &session->backend->config->timeouts;
	struct session_wait *wait = calloc(1, sizeof(*wait));
	if (wait == NULL) {
		session_close(session, CLOSE_RESOURCE, FAREWELL_ORDERLY, FAREWELL_RESET);
		return;
	}
	wait->session = session;
	session_enter(session, SESSION_QUEUED);
	if (!backend_queue(session->backend, request, &wait->waiter, session->table->loop, on_grant)) {
		free(wait);
		give_up(session, CLOSE_QUEUE_FULL);
		return;
	}
	session->wait = wait;
	counter_add(&session->backend->counters[session->table->worker].queued, 1);
	uint32_t limit_ms = timeouts->queue_ms != 0 ? timeouts->queue_ms : timeouts->connect_ms;
	if (limit_ms != 0)
		session_timer_set(session, session_now_ms(session) + limit_ms);
}

void session_queue_leave(struct session *session)
{
	struct session_wait *wait = session->wait;
	if (wait == NULL)
		return;
	session->wait = NULL;
	wait->session = NULL;
	if (backend_unqueue(&wait->waiter))
		free(wait);
}

void session_queue_timeout(struct session *session)
{
	give_up(session, CLOSE_QUEUE_TIMEOUT);
}

/* Where the client has connected to, when that decides. */
static const struct endpoint *local_find(const struct session *session, struct endpoint *room)
{
	if (!backend_wants_local(session->backend))
		return NULL;
	session_frontend_local(session, room);
	return room->family != AF_UNSPEC ? room : NULL;
}

/* The bytes are still where they were looked at: nobody reads them before the relay does. */
static void key_find(struct session *session, struct session_key *room, struct choose_request *request)
{
	const struct config_proxy *config = session->backend->config;
	struct session_facts facts;
	if (config->balance != CONFIG_BALANCE_HASH || config->hash.expression == NULL)
		return;
	session_facts_fill(session, &facts);
	if (config->rules.needs_bytes)
		session_facts_look(session, &facts.facts);
	facts.facts.is_final = true;
	session_key_make(&facts, room);
	request->key = room->bytes;
	request->key_len = room->len;
}

void session_choose(struct session *session)
{
	struct server *server = NULL;
	struct endpoint local;
	struct session_key key;
	struct choose_request request = {.client = &session->client, .local = local_find(session, &local)};
	key_find(session, &key, &request);
	if (session->is_turning_same)
		request.stick = session->last_server;
	else if (session->last_server == NULL && session->wanted != NULL)
		request.stick = session->wanted;
	else
		request.avoid = session->last_server;
	session->is_turning_same = false;
	enum choose_answer answer = backend_choose(session->backend, &request, &server);
	if (answer == CHOOSE_NONE && request.stick != NULL) {
		request.avoid = request.stick;
		request.stick = NULL;
		answer = backend_choose(session->backend, &request, &server);
	}
	switch (answer) {
	case CHOSEN:
		server_take(session, server);
		return;
	case CHOOSE_FULL:
		enter_queue(session, &request);
		return;
	case CHOOSE_NONE:
		give_up(session, CLOSE_NO_SERVER);
		return;
	}
	CHECK(false);
}
