/* What rules name, and what of them can never be. */
#include <string.h>

#include "config/keyword.h"
#include "rule/acl.h"
#include "rule/expression.h"
#include "rule/fetch.h"

static struct config_proxy *proxy_find(const struct parser *parser, const char *name, unsigned role)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if ((draft->proxy.roles & role) != 0 && strcmp(draft->proxy.name, name) == 0)
			return &draft->proxy;
	}
	return NULL;
}

/* False when there is none. */
static bool server_find(const struct config_proxy *proxy, const char *name, unsigned *ret_index)
{
	unsigned index = 0;

	for (const struct config_server *server = proxy->servers; server != NULL; server = server->next) {
		if (strcmp(server->name, name) == 0) {
			*ret_index = index;
			return true;
		}
		index++;
	}
	return false;
}

static void resolve_server(
	struct parser *parser, const struct config_proxy *own, struct rule_reference *reference)
{
	const struct config_proxy *proxy = own;

	if (reference->proxy != NULL)
		proxy = proxy_find(parser, reference->proxy, CONFIG_ROLE_BACKEND);
	else if ((own->roles & CONFIG_ROLE_BACKEND) == 0)
		proxy = NULL;
	if (proxy == NULL || !server_find(proxy, reference->server, &reference->server_index))
		report_alert_at(parser, reference->origin,
			"a condition asks for the server '%s%s%s', which does not exist",
			reference->proxy != NULL ? reference->proxy : "", reference->proxy != NULL ? "/" : "",
			reference->server);
	else
		reference->proxy_index = proxy->index;
}

static void resolve_reference(
	struct parser *parser, const struct config_proxy *own, struct rule_reference *reference)
{
	const struct config_proxy *proxy;
	bool is_frontend = reference->kind == RULE_FRONTEND;

	if (reference->kind == RULE_SERVER) {
		resolve_server(parser, own, reference);
		return;
	}
	if (reference->proxy == NULL)
		return;
	proxy = proxy_find(
		parser, reference->proxy, is_frontend ? CONFIG_ROLE_FRONTEND : CONFIG_ROLE_BACKEND);
	if (proxy == NULL)
		report_alert_at(parser, reference->origin,
			"a condition asks for the %s '%s', which does not exist",
			is_frontend ? "frontend" : "backend", reference->proxy);
	else
		reference->proxy_index = proxy->index;
}

static void resolve_server_rules(struct parser *parser, struct config_proxy *proxy)
{
	for (struct config_use_server *use = proxy->rules.use_servers; use != NULL; use = use->next) {
		if (!server_find(proxy, use->name, &use->server_index))
			report_alert_at(parser, &use->place,
				"'use-server' wants the server '%s', which '%s' does not have", use->name,
				proxy->name);
	}
}

static bool needs_bytes(const struct fetch *fetch)
{
	return fetch->needs_bytes;
}

static bool needs_session(const struct fetch *fetch)
{
	return fetch->needs_session;
}

static bool is_by_bytes(const struct rule_expression *expression)
{
	return expression != NULL && needs_bytes(rule_expression_fetch(expression));
}

static bool parts_need_bytes(const struct config_name_part *part)
{
	while (part != NULL && !is_by_bytes(part->expression))
		part = part->next;
	return part != NULL;
}

/* Where it stands that bytes are looked at; NULL: nowhere. */
static const struct config_place *bytes_place(const struct config_proxy *proxy)
{
	const struct config_rules *rules = &proxy->rules;

	for (const struct config_rule *rule = rules->content; rule != NULL; rule = rule->next) {
		if (rule_condition_find(rule->condition, needs_bytes) != NULL)
			return &rule->place;
	}
	for (const struct config_use_backend *use = rules->use_backends; use != NULL; use = use->next) {
		if (rule_condition_find(use->condition, needs_bytes) != NULL || parts_need_bytes(use->parts))
			return &use->place;
	}
	for (const struct config_use_server *use = rules->use_servers; use != NULL; use = use->next) {
		if (rule_condition_find(use->condition, needs_bytes) != NULL)
			return &use->place;
	}
	return is_by_bytes(proxy->hash.expression) ? &proxy->place : NULL;
}

/* At once after the accept there are neither bytes nor a backend. */
static void refuse_early(struct parser *parser, const struct config_rule *rule, const char *name,
	bool (*test)(const struct fetch *))
{
	for (; rule != NULL; rule = rule->next) {
		const struct fetch *fetch = rule_condition_find(rule->condition, test);

		if (fetch != NULL)
			report_alert_at(parser, &rule->place,
				"'%s' cannot ask for '%s', which is not known yet", name, fetch->name);
	}
}

static void resolve_draft(struct parser *parser, struct draft *draft)
{
	struct config_proxy *proxy = &draft->proxy;
	struct config_rules *rules = &proxy->rules;
	const struct config_use_backend *first = rules->use_backends;
	bool is_hashed = proxy->balance == CONFIG_BALANCE_HASH && proxy->hash.expression != NULL;

	for (struct config_use_backend *use = rules->use_backends; use != NULL; use = use->next) {
		if (use->parts == NULL)
			use->backend = backend_resolve(parser, proxy, use->name, &use->place);
	}
	for (struct rule_reference *at = draft->book.references; at != NULL; at = at->next)
		resolve_reference(parser, proxy, at);
	resolve_server_rules(parser, proxy);
	refuse_early(parser, rules->connection, "tcp-request connection", needs_session);
	refuse_early(parser, rules->session, "tcp-request session", needs_bytes);
	rules->has_frontend_steps = rules->content != NULL ||
		(first != NULL && (first->condition != NULL || first->parts != NULL));
	rules->has_backend_steps = rules->content != NULL || rules->use_servers != NULL || is_hashed;
	rules->needs_bytes = bytes_place(proxy) != NULL;
}

void routing_resolve(struct parser *parser)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next)
		resolve_draft(parser, draft);
	for (struct draft *draft = parser->defaults; draft != NULL; draft = draft->next) {
		for (struct rule_reference *at = draft->book.references; at != NULL; at = at->next)
			resolve_reference(parser, &draft->proxy, at);
	}
}

static void warn_unreached(struct parser *parser, const struct config_proxy *proxy)
{
	const struct config_use_backend *use = proxy->rules.use_backends;

	while (use != NULL && use->condition != NULL)
		use = use->next;
	if (use != NULL && use->next != NULL)
		report_warning_at(parser, &use->next->place,
			"this 'use_backend' is never reached: the one at line %u takes every connection",
			use->place.line);
}

static bool has_waiting_frontend(const struct parser *parser)
{
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if ((draft->proxy.roles & CONFIG_ROLE_FRONTEND) != 0 &&
			draft->proxy.rules.inspect_delay_ms != 0)
			return true;
	}
	return false;
}

static void warn_impatient(struct parser *parser, const struct config_proxy *proxy)
{
	const struct config_place *place = bytes_place(proxy);
	bool is_backend = (proxy->roles & CONFIG_ROLE_FRONTEND) == 0;

	if (place == NULL || proxy->rules.inspect_delay_ms != 0 ||
		(is_backend && has_waiting_frontend(parser)))
		return;
	report_warning_at(parser, place,
		"'%s' looks at the client's first bytes without waiting for them: it has no 'tcp-request inspect-delay'",
		proxy->name);
}

void routing_warn(struct parser *parser)
{
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		warn_unreached(parser, &draft->proxy);
		warn_impatient(parser, &draft->proxy);
	}
}
