/* Effective values: what a proxy has when its sections say nothing. */
#include <string.h>

#include "config/parser.h"

enum {
	CONNECT_MS = 5 * 1000,
	IDLE_MS = 5 * 60 * 1000,
	HANDSHAKE_MS = 10 * 1000,
};

static bool is_given(const struct draft *draft, const uint32_t *member)
{
	return (draft->timeouts_given >> (member - &draft->proxy.timeouts.connect_ms) & 1) != 0;
}

static void set_default(struct draft *draft, uint32_t *member, uint32_t value_ms)
{
	if (!is_given(draft, member))
		*member = value_ms;
}

static void complete_timeouts(struct draft *draft)
{
	struct config_timeouts *timeouts = &draft->proxy.timeouts;

	set_default(draft, &timeouts->connect_ms, CONNECT_MS);
	set_default(draft, &timeouts->client_ms, IDLE_MS);
	set_default(draft, &timeouts->server_ms, IDLE_MS);
	set_default(draft, &timeouts->queue_ms, timeouts->connect_ms);
	set_default(draft, &timeouts->client_hs_ms, HANDSHAKE_MS);
}

/* 'log global': the global section's targets follow the proxy's own. */
static void complete_logs(struct parser *parser, struct draft *draft)
{
	struct config_log **end = &draft->proxy.logs;

	if (!draft->is_log_global)
		return;
	while (*end != NULL)
		end = &(*end)->next;
	for (const struct config_log *log = parser->config->global.logs; log != NULL; log = log->next) {
		struct config_log *copy = arena_alloc(parser->arena, sizeof(*copy));

		*copy = *log;
		copy->next = NULL;
		*end = copy;
		end = &copy->next;
	}
}

static bool is_spliced(const char *engine)
{
	return strcmp(engine, "auto") == 0 || strcmp(engine, "splice") == 0;
}

/* What is not written stays NULL: a connection's two proxies decide together. */
static void complete_relay(const struct parser *parser, struct draft *draft)
{
	struct config_proxy *proxy = &draft->proxy;

	if (!parser->has_nosplice)
		return;
	proxy->has_splice_auto = proxy->has_splice_request = proxy->has_splice_response = false;
	if (proxy->relay != NULL && is_spliced(proxy->relay))
		proxy->relay = "copy";
}

static void complete_servers(struct config_proxy *proxy)
{
	for (struct config_server *server = proxy->servers; server != NULL; server = server->next) {
		if (!server->source.is_set)
			server->source = proxy->source;
		/* As HAProxy: a lower bound alone is the limit itself. */
		if (server->minconn > server->maxconn)
			server->maxconn = server->minconn;
	}
}

/* Whether connections of the frontend may reach the backend. */
static bool leads_to(const struct config_proxy *frontend, const struct config_proxy *backend)
{
	if (frontend->default_backend == backend)
		return true;
	for (const struct config_use_backend *use = frontend->rules.use_backends; use != NULL;
		use = use->next) {
		/* A name that is put together may be any. */
		if (use->backend == backend || use->parts != NULL)
			return true;
	}
	return false;
}

/* Only a backend whose servers' limits move needs the number. */
static void complete_fullconn(struct parser *parser, struct config_proxy *backend)
{
	uint64_t sum = 0;
	bool has_minconn = false;

	for (const struct config_server *server = backend->servers; server != NULL; server = server->next)
		has_minconn |= server->minconn != 0 && server->minconn < server->maxconn;
	if (!has_minconn || backend->fullconn != 0)
		return;
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if ((draft->proxy.roles & CONFIG_ROLE_FRONTEND) != 0 && leads_to(&draft->proxy, backend))
			sum += draft->proxy.maxconn != 0 ? draft->proxy.maxconn
							 : parser->config->global.maxconn;
	}
	if (sum > 0)
		backend->fullconn = sum < 10 ? 1 : sum / 10 > INT32_MAX ? INT32_MAX : (unsigned)(sum / 10);
}

void complete_proxies(struct parser *parser)
{
	if (parser->has_nosplice) {
		report_warning_at(parser, &parser->nosplice_place,
			"'nosplice' switches 'option splice-...' off and makes 'relay auto' and 'relay splice' 'relay copy'");
		if (is_spliced(parser->config->global.relay))
			parser->config->global.relay = "copy";
	}
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		complete_timeouts(draft);
		complete_logs(parser, draft);
		complete_relay(parser, draft);
		complete_servers(&draft->proxy);
		if ((draft->proxy.roles & CONFIG_ROLE_BACKEND) != 0)
			complete_fullconn(parser, &draft->proxy);
	}
}
