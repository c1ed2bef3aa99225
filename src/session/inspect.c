/* Rules that may look at what the client sends first: whether it goes on, which backend,
 * which server.  Its bytes are looked at where they lie, in the socket, so that every
 * engine finds them there afterwards.  What cannot be decided yet waits: for bytes, for
 * the client's end, or for the end of inspect-delay, whichever comes first. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "rule/acl.h"
#include "rule/expression.h"
#include "session/session_rules.h"

/* In this order.  Session.step is the one that is under way. */
enum step {
	STEP_FRONTEND_RULES, /* tcp-request content */
	STEP_BACKEND, /* use_backend */
	STEP_BACKEND_RULES, /* tcp-request content of another section than the frontend's */
	STEP_SERVER, /* use-server, and the key of balance hash */
	STEPS,
};

enum step_answer { STEP_DONE, STEP_LATER, STEP_CLOSED };

/* For so few bytes more it is not worth two system calls to be woken late. */
enum { WAKE_BYTES_MIN = 512 };

/* --- the rules --- */

static enum step_answer reject(struct session *session)
{
	unsigned worker = session->table->worker;
	counter_add(&session->listener->frontend->counters[worker].denied_requests, 1);
	counter_add(&session->listener->counters[worker].denied_requests, 1);
	if (session->backend != NULL)
		counter_add(&session->backend->counters[worker].denied_requests, 1);
	session_close(session, CLOSE_REJECTED, FAREWELL_ORDERLY, FAREWELL_RESET);
	return STEP_CLOSED;
}

static enum step_answer content_step(
	struct session *session, const struct config_rule *rule, struct rule_facts *facts)
{
	for (; rule != NULL; rule = rule->next) {
		enum rule_answer answer = rule_condition_evaluate(rule->condition, facts);
		if (answer == RULE_LATER)
			return STEP_LATER;
		if (answer == RULE_YES)
			return rule->action == CONFIG_RULE_REJECT ? reject(session) : STEP_DONE;
	}
	return STEP_DONE;
}

enum { NAME_BYTES_MAX = 256 };

/* Puts the name together; false when a part is not there, or not there yet. */
static bool name_make(const struct config_name_part *part, struct rule_facts *facts, struct text *name,
	bool *ret_may_change)
{
	for (; part != NULL; part = part->next) {
		struct sample sample;
		if (part->text != NULL) {
			text_add(name, part->text);
			continue;
		}
		if (!rule_expression_evaluate(part->expression, facts, &sample)) {
			*ret_may_change = sample.may_change && !facts->is_final;
			return false;
		}
		sample_to_text(&sample, facts->room);
		/* No name has a byte zero in it. */
		if (sample.len > 0 && memchr(sample.text, '\0', sample.len) != NULL)
			return false;
		text_add_bytes(name, sample.text, sample.len);
	}
	return !name->is_cut;
}

/* The backend that the rule leads to; *ret_backend is left alone when its name is not one's. */
static enum step_answer follow(const struct session *session, const struct config_use_backend *use,
	struct rule_facts *facts, struct backend **ret_backend)
{
	char storage[NAME_BYTES_MAX];
	struct text name;
	bool may_change = false;
	if (use->parts == NULL) {
		*ret_backend = session->table->routes->backends[use->backend->index];
		return STEP_DONE;
	}
	text_init(&name, storage, sizeof(storage));
	if (!name_make(use->parts, facts, &name, &may_change))
		return may_change ? STEP_LATER : STEP_DONE;
	struct backend *backend = session_routes_find(session->table->routes, storage);
	if (backend != NULL)
		*ret_backend = backend;
	return STEP_DONE;
}

static enum step_answer backend_step(struct session *session, struct rule_facts *facts)
{
	struct backend *backend = session->listener->frontend->default_backend;
	const struct config_use_backend *use = session_frontend_config(session)->rules.use_backends;
	enum rule_answer answer = RULE_NO;
	for (; use != NULL; use = use->next) {
		answer = rule_condition_evaluate(use->condition, facts);
		if (answer != RULE_NO)
			break;
	}
	if (answer == RULE_LATER ||
		(answer == RULE_YES && follow(session, use, facts, &backend) == STEP_LATER))
		return STEP_LATER;
	if (backend == NULL) {
		session_close(session, CLOSE_NO_BACKEND, FAREWELL_ORDERLY, FAREWELL_RESET);
		return STEP_CLOSED;
	}
	session_backend_enter(session, backend);
	return STEP_DONE;
}

static enum step_answer server_step(struct session *session, struct session_facts *facts)
{
	const struct config_proxy *config = session->backend->config;
	struct session_key key;
	for (const struct config_use_server *use = config->rules.use_servers; use != NULL; use = use->next) {
		enum rule_answer answer = rule_condition_evaluate(use->condition, &facts->facts);
		struct server *server = &session->backend->servers[use->server_index];
		if (answer == RULE_LATER)
			return STEP_LATER;
		if (answer == RULE_YES && server_is_usable(server)) {
			session->wanted = server;
			return STEP_DONE;
		}
	}
	if (config->balance != CONFIG_BALANCE_HASH || config->hash.expression == NULL)
		return STEP_DONE;
	session_key_make(facts, &key);
	return key.may_change ? STEP_LATER : STEP_DONE;
}

/* --- the order of steps --- */

/* Whose rules the step follows. */
static const struct config_proxy *step_config(const struct session *session)
{
	bool is_backends = session->step >= STEP_BACKEND_RULES && session->backend != NULL;
	return is_backends ? session->backend->config : session_frontend_config(session);
}

static uint32_t delay_ms(const struct session *session)
{
	uint32_t own_ms = step_config(session)->rules.inspect_delay_ms;
	return own_ms != 0 ? own_ms : session_frontend_config(session)->rules.inspect_delay_ms;
}

static enum step_answer step_run(struct session *session, struct session_facts *facts)
{
	const struct config_proxy *config = step_config(session);
	switch ((enum step)session->step) {
	case STEP_FRONTEND_RULES:
		return content_step(session, config->rules.content, &facts->facts);
	case STEP_BACKEND:
		return backend_step(session, &facts->facts);
	case STEP_BACKEND_RULES:
		if (config == session_frontend_config(session))
			return STEP_DONE;
		return content_step(session, config->rules.content, &facts->facts);
	case STEP_SERVER:
		return server_step(session, facts);
	case STEPS:
		break;
	}
	CHECK(false);
	return STEP_CLOSED;
}

/* The client's bytes are looked at once a turn, and only where a rule asks for them. */
static void look(struct session *session, struct session_facts *facts, bool *has_looked)
{
	struct rule_facts *plain = &facts->facts;
	if (!*has_looked && step_config(session)->rules.needs_bytes) {
		session_facts_look(session, plain);
		*has_looked = true;
	}
	if (session->backend != NULL)
		plain->backend_name = session->backend->config->name;
	plain->is_final = (session->client_events & LOOP_PEER_CLOSED) != 0 ||
		plain->len == sizeof(session->table->inspected) ||
		session_now_ms(session) >= session->step_ms + delay_ms(session);
}

/* Whoever sends much in small pieces does not make us look at all of it with each. */
static void wake_set(struct session *session, const struct rule_facts *facts)
{
	size_t wanted =
		facts->has_hello && facts->hello_result == TLS_NEED_MORE ? facts->hello.bytes_wanted : 0;
	bool is_late = !facts->is_length_asked && wanted > facts->len + WAKE_BYTES_MIN;
	if (!is_late && !session->is_woken_late)
		return;
	int bytes = !is_late                                 ? 1
		: wanted < sizeof(session->table->inspected) ? (int)wanted
							     : (int)sizeof(session->table->inspected);
	(void)setsockopt(session->client_fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	session->is_woken_late = is_late;
}

static void finish(struct session *session)
{
	const int one = 1;
	if (session->is_woken_late)
		(void)setsockopt(session->client_fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	session->is_woken_late = false;
	loop_timer_cancel(session->table->loop, &session->timer);
	/* It may have left already, which counts once there is a backend. */
	if ((session->client_events & LOOP_PEER_CLOSED) && session->backend->config->has_abortonclose) {
		session_close(session, CLOSE_CLIENT_LEFT, FAREWELL_ORDERLY, FAREWELL_RESET);
		return;
	}
	if (session->state == SESSION_INSPECTING)
		session_enter(session, SESSION_CHOOSING);
	session_choose(session);
}

void session_inspect_advance(struct session *session)
{
	struct session_facts facts;
	bool has_looked = false;
	session_facts_fill(session, &facts);
	while (session->step < STEPS) {
		look(session, &facts, &has_looked);
		enum step_answer answer = step_run(session, &facts);
		if (answer == STEP_CLOSED)
			return;
		if (answer == STEP_LATER) {
			wake_set(session, &facts.facts);
			session_timer_set(session, session->step_ms + delay_ms(session));
			return;
		}
		/* A backend that has a delay of its own has it from here on. */
		if (session->step == STEP_BACKEND && session->backend->config->rules.inspect_delay_ms != 0 &&
			session->backend->config != session_frontend_config(session))
			session->step_ms = session_now_ms(session);
		session->step++;
	}
	finish(session);
}

/* Most frontends send all connections one way: nothing is asked of them. */
void session_inspect_begin(struct session *session)
{
	const struct config_rules *rules = &session_frontend_config(session)->rules;
	struct backend *backend = session->listener->frontend->default_backend;
	session->step = STEP_FRONTEND_RULES;
	if (!rules->has_frontend_steps) {
		if (backend == NULL) {
			session_close(session, CLOSE_NO_BACKEND, FAREWELL_ORDERLY, FAREWELL_RESET);
			return;
		}
		session_backend_enter(session, backend);
		session->step = STEP_BACKEND_RULES;
		if (!backend->config->rules.has_backend_steps) {
			finish(session);
			return;
		}
	}
	session->step_ms = session_now_ms(session);
	session_enter(session, SESSION_INSPECTING);
	session_inspect_advance(session);
}
