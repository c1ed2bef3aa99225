/* Rules across keywords and sections. */
#include <string.h>

#include "config/keyword.h"
#include "config/naming.h"
#include "config/parser.h"

static struct config_proxy *backend_find(const struct parser *parser, const char *name)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if ((draft->proxy.roles & CONFIG_ROLE_BACKEND) != 0 && strcmp(draft->proxy.name, name) == 0)
			return &draft->proxy;
	}
	return NULL;
}

/* The backend whose name is nearest, for a hint. */
static const char *backend_nearest(struct parser *parser, const char *name)
{
	const char **names;
	size_t count = 0;

	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next)
		count++;
	names = arena_alloc(parser->arena, (count + 1) * sizeof(*names));
	count = 0;
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if ((draft->proxy.roles & CONFIG_ROLE_BACKEND) != 0)
			names[count++] = draft->proxy.name;
	}
	return name_nearest(names, name);
}

struct config_proxy *backend_resolve(struct parser *parser, const struct config_proxy *proxy,
	const char *name, const struct config_place *place)
{
	struct config_proxy *backend = backend_find(parser, name);
	const char *nearest;

	if (backend != NULL || parser->has_refused_section || parser->is_stopped)
		return backend;
	nearest = backend_nearest(parser, name);
	if (nearest != NULL)
		report_alert_at(parser, place,
			"'%s' wants the backend '%s', which does not exist, did you mean '%s'?", proxy->name,
			name, nearest);
	else
		report_alert_at(parser, place, "'%s' wants the backend '%s', which does not exist",
			proxy->name, name);
	return NULL;
}

static void resolve_backends(struct parser *parser, struct config_proxy *proxy)
{
	bool is_listen = (proxy->roles & CONFIG_ROLE_BACKEND) != 0;

	if ((proxy->roles & CONFIG_ROLE_FRONTEND) == 0) {
		proxy->default_backend_name = NULL;
		return;
	}
	if (proxy->default_backend_name != NULL)
		proxy->default_backend =
			backend_resolve(parser, proxy, proxy->default_backend_name, &proxy->place);
	else if (is_listen)
		proxy->default_backend = proxy;
}

/* Nothing here is wrong, but nothing useful comes of it either. */
static void warn_useless(struct parser *parser, const struct draft *draft)
{
	const struct config_proxy *proxy = &draft->proxy;
	const char *what = section_name(draft->section);
	bool has_frontend = (proxy->roles & CONFIG_ROLE_FRONTEND) != 0;
	bool leads_elsewhere = proxy->rules.use_backends != NULL ||
		(proxy->default_backend_name != NULL && proxy->default_backend != proxy);

	if (has_frontend && proxy->binds == NULL)
		report_warning_at(parser, &proxy->place,
			"%s '%s' has no 'bind' directive: declare it as a backend if that was meant", what,
			proxy->name);
	if (draft->section == IN_FRONTEND && !leads_elsewhere)
		report_warning_at(parser, &proxy->place,
			"frontend '%s' has no 'default_backend': its connections are closed at once",
			proxy->name);
	if ((proxy->roles & CONFIG_ROLE_BACKEND) != 0 && proxy->servers == NULL &&
		!(has_frontend && leads_elsewhere))
		report_warning_at(parser, &proxy->place, "%s '%s' has no server", what, proxy->name);
}

static void warn_references(struct parser *parser, const struct config_proxy *proxy)
{
	if (proxy->default_backend != NULL && proxy->default_backend != proxy &&
		proxy->default_backend->is_disabled)
		report_warning_at(parser, &proxy->place, "'%s' leads to the backend '%s', which is disabled",
			proxy->name, proxy->default_backend->name);
}

static void warn_servers(struct parser *parser, const struct config_proxy *proxy)
{
	for (const struct config_server *server = proxy->servers; server != NULL; server = server->next) {
		const struct config_send_proxy *send = &server->send_proxy;
		if (!send->has_v2 && (send->has_authority || send->has_crc32c || send->has_unique_id))
			report_warning_at(parser, &server->place,
				"server '%s': 'proxy-v2-options' has no effect without 'send-proxy-v2'",
				server->name);
	}
}

static bool has_bounded_balance(const struct config_proxy *proxy)
{
	switch (proxy->balance) {
	case CONFIG_BALANCE_SOURCE:
	case CONFIG_BALANCE_HASH:
		return proxy->hash.type != CONFIG_HASH_MAP_BASED;
	case CONFIG_BALANCE_RANDOM:
		return true;
	case CONFIG_BALANCE_ROUNDROBIN:
	case CONFIG_BALANCE_STATIC_RR:
	case CONFIG_BALANCE_LEASTCONN:
	case CONFIG_BALANCE_FIRST:
		break;
	}
	return false;
}

/* A defaults section may have it for some of its backends, so this is no mistake. */
static void warn_balance(struct parser *parser, const struct config_proxy *proxy)
{
	if ((proxy->roles & CONFIG_ROLE_BACKEND) != 0 && proxy->servers != NULL &&
		proxy->hash.balance_factor != 0 && !has_bounded_balance(proxy))
		report_warning_at(parser, &proxy->place,
			"'hash-balance-factor' has no effect in '%s': it is for 'hash-type consistent' and 'maglev', and for 'balance random'",
			proxy->name);
}

static bool has_listener(const struct parser *parser)
{
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if (!draft->proxy.is_disabled && draft->proxy.binds != NULL)
			return true;
	}
	return false;
}

static void link_proxies(struct parser *parser)
{
	struct config_proxy **end = &parser->config->proxies;

	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		*end = &draft->proxy;
		end = &draft->proxy.next;
	}
	*end = NULL;
	unsigned count = 0;
	for (struct config_proxy *proxy = parser->config->proxies; proxy != NULL; proxy = proxy->next)
		proxy->index = count++;
}

static void check_global(struct parser *parser)
{
	const struct config_global *global = &parser->config->global;

	if (global->hard_stop_spread_ms > global->hard_stop_after_ms)
		report_alert_all(parser,
			"'hard-stop-spread' is the last part of 'hard-stop-after', which has to be given and to be as long");
}

void validate_config(struct parser *parser)
{
	link_proxies(parser);
	check_global(parser);
	identity_check(parser);
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next)
		resolve_backends(parser, &draft->proxy);
	routing_resolve(parser);
	tracking_resolve(parser);
	resolvers_link(parser);
	checks_complete(parser);
	if (parser->alerts > 0)
		return;
	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		warn_useless(parser, draft);
		warn_references(parser, &draft->proxy);
		warn_servers(parser, &draft->proxy);
		warn_balance(parser, &draft->proxy);
	}
	routing_warn(parser);
	if (!has_listener(parser))
		report_alert_all(parser, "no frontend or listen section%s has a 'bind' line: nothing to do",
			parser->drafts != NULL ? " that is not disabled" : "");
}
