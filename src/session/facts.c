/* What a rule may know of a session. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "rule/expression.h"
#include "session/session_rules.h"

_Static_assert(offsetof(struct session_facts, facts) == 0, "the callback relies on it");

/* --- gauges --- */

static bool frontend_gauge(const struct frontend *frontend, enum rule_gauge gauge, int64_t *ret_value)
{
	switch (gauge) {
	case RULE_GAUGE_CONNECTIONS:
		*ret_value = __atomic_load_n(&frontend->conn_cur, __ATOMIC_RELAXED);
		return true;
	case RULE_GAUGE_ID:
		*ret_value = frontend->config->id;
		return true;
	case RULE_GAUGE_RATE:
	case RULE_GAUGE_QUEUE:
	case RULE_GAUGE_USABLE_SERVERS:
	case RULE_GAUGE_IS_UP:
	case RULE_GAUGE_WEIGHT:
		break;
	}
	return false;
}

/* Of backups those that serve: all, or one. */
static int64_t usable_servers(const struct backend *backend)
{
	unsigned primaries = backend_usable_count(backend, false);
	if (primaries > 0)
		return primaries;
	unsigned backups = backend_usable_count(backend, true);
	return backups > 1 && !backend->config->has_allbackups ? 1 : backups;
}

static bool backend_gauge(const struct backend *backend, enum rule_gauge gauge, int64_t *ret_value)
{
	switch (gauge) {
	case RULE_GAUGE_CONNECTIONS:
		*ret_value = __atomic_load_n(&backend->conn_cur, __ATOMIC_RELAXED);
		return true;
	case RULE_GAUGE_QUEUE:
		*ret_value = __atomic_load_n(&backend->queue_cur, __ATOMIC_RELAXED);
		return true;
	case RULE_GAUGE_USABLE_SERVERS:
		*ret_value = usable_servers(backend);
		return true;
	case RULE_GAUGE_ID:
		*ret_value = backend->config->id;
		return true;
	case RULE_GAUGE_RATE:
	case RULE_GAUGE_IS_UP:
	case RULE_GAUGE_WEIGHT:
		break;
	}
	return false;
}

static bool server_gauge(const struct server *server, enum rule_gauge gauge, int64_t *ret_value)
{
	switch (gauge) {
	case RULE_GAUGE_CONNECTIONS:
		*ret_value = __atomic_load_n(&server->conn_cur, __ATOMIC_RELAXED);
		return true;
	case RULE_GAUGE_QUEUE:
		*ret_value = __atomic_load_n(&server->queue_cur, __ATOMIC_RELAXED);
		return true;
	case RULE_GAUGE_IS_UP:
		*ret_value = server_is_usable(server);
		return true;
	case RULE_GAUGE_WEIGHT:
		*ret_value = server_weight_now(server);
		return true;
	case RULE_GAUGE_ID:
		*ret_value = server->config->id;
		return true;
	case RULE_GAUGE_RATE:
	case RULE_GAUGE_USABLE_SERVERS:
		break;
	}
	return false;
}

/* The meter that has the rate. */
static const struct rate_meter *rate_find(
	const struct frontend *frontend, const struct backend *backend, const struct server *server)
{
	if (server != NULL)
		return &server->rate;
	if (backend != NULL)
		return &backend->rate;
	return frontend != NULL ? &frontend->rate : NULL;
}

/* What a reference stands for; those that it does not are NULL. */
struct subject {
	const struct frontend *frontend;
	const struct backend *backend;
	const struct server *server;
};

static struct subject subject_find(const struct session *session, const struct rule_reference *reference)
{
	const struct session_routes *routes = session->table->routes;
	bool is_own = reference->proxy_index == RULE_OWN;
	struct subject subject = {0};
	CHECK(is_own || reference->proxy_index < routes->proxies);
	if (reference->kind == RULE_FRONTEND) {
		subject.frontend =
			is_own ? session->listener->frontend : routes->frontends[reference->proxy_index];
		return subject;
	}
	subject.backend = is_own ? session->backend : routes->backends[reference->proxy_index];
	if (reference->kind != RULE_SERVER || subject.backend == NULL)
		return subject;
	CHECK(reference->server_index < subject.backend->servers_count);
	subject.server = &subject.backend->servers[reference->server_index];
	subject.backend = NULL;
	return subject;
}

static bool gauge(const struct rule_facts *facts, enum rule_gauge gauge,
	const struct rule_reference *reference, int64_t *ret_value)
{
	/* They are its first member. */
	const struct session_facts *own = (const struct session_facts *)(const void *)facts;
	struct subject subject = subject_find(own->session, reference);
	const struct rate_meter *rate = rate_find(subject.frontend, subject.backend, subject.server);
	if (rate == NULL)
		return false;
	if (gauge == RULE_GAUGE_RATE) {
		*ret_value = rate_meter_read(rate, session_now_ms(own->session));
		return true;
	}
	if (subject.server != NULL)
		return server_gauge(subject.server, gauge, ret_value);
	if (subject.backend != NULL)
		return backend_gauge(subject.backend, gauge, ret_value);
	return frontend_gauge(subject.frontend, gauge, ret_value);
}

/* --- the session --- */

static struct tls_span tlv_span(const struct session_tlv *tlv)
{
	return tlv->is_present ? (struct tls_span){tlv->bytes, tlv->len} : (struct tls_span){0};
}

void session_facts_fill(struct session *session, struct session_facts *ret_facts)
{
	struct rule_facts *facts = &ret_facts->facts;
	memset(ret_facts, 0, sizeof(*ret_facts));
	ret_facts->session = session;
	facts->room = session->table->room;
	facts->gauge = gauge;
	facts->bytes = session->table->inspected;
	facts->source = session->client;
	session_frontend_local(session, &facts->destination);
	facts->listener_id = session->listener->config->id;
	facts->listener_name = session->listener->config->name;
	facts->frontend_name = session_frontend_config(session)->name;
	if (session->backend != NULL)
		facts->backend_name = session->backend->config->name;
	if (session->header == NULL || session->header->tlvs == NULL)
		return;
	facts->authority = tlv_span(&session->header->tlvs->authority);
	facts->unique_id = tlv_span(&session->header->tlvs->unique_id);
}

void session_facts_look(struct session *session, struct rule_facts *facts)
{
	uint8_t *bytes = session->table->inspected;
	ssize_t len;
	do {
		len = recv(session->client_fd, bytes, sizeof(session->table->inspected),
			MSG_PEEK | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	facts->len = len > 0 ? (size_t)len : 0;
	facts->has_hello = false;
}

void session_key_make(struct session_facts *facts, struct session_key *ret_key)
{
	const struct config_proxy *config = facts->session->backend->config;
	struct sample sample;
	bool has_value = rule_expression_evaluate(config->hash.expression, &facts->facts, &sample);
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->bytes = ret_key->storage;
	ret_key->may_change = sample.may_change && !facts->facts.is_final;
	if (!has_value)
		return;
	switch (sample.type) {
	case SAMPLE_TEXT:
		ret_key->len = sample.len;
		if (sample.len > 0)
			ret_key->bytes = sample.text;
		return;
	case SAMPLE_ADDRESS:
		ret_key->len = sample.address.family == AF_INET ? 4 : sizeof(sample.address.ip);
		memcpy(ret_key->storage, sample.address.ip, ret_key->len);
		return;
	case SAMPLE_BOOL:
	case SAMPLE_INTEGER:
		/* Eight bytes, the highest first, as HAProxy hashes them. */
		ret_key->len = sizeof(uint64_t);
		for (unsigned i = 0; i < sizeof(uint64_t); i++)
			ret_key->storage[i] = (uint8_t)((uint64_t)sample.number >> (56 - 8 * i));
		return;
	}
	CHECK(false);
}
