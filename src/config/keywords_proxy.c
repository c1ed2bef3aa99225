/* The rows of proxies that name, limit and switch them as a whole. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "config/bind.h"
#include "config/keyword.h"

static int parse_mode(struct parser *parser, const struct statement *statement)
{
	const char *mode = statement->count > 0 ? statement->words[0] : "";

	if (strcmp(mode, "tcp") == 0)
		return 1;
	if (strcmp(mode, "http") == 0)
		report_alert(parser,
			"'mode http': spliced carries TCP only; HTTP passes through it untouched in 'mode tcp'");
	else if (strcmp(mode, "health") == 0 || strcmp(mode, "log") == 0)
		report_alert(parser, "'mode %s' is not supported in this version, only 'mode tcp'", mode);
	else
		return statement_refuse(parser, statement);
	return -EINVAL;
}

static int refuse_engine(struct parser *parser, const char *const *engines, const char *name)
{
	const char *nearest = name_nearest(engines, name);
	char storage[256];
	struct text text;

	if (nearest != NULL) {
		report_alert(parser, "'relay': there is no engine '%s', did you mean '%s'?", name, nearest);
		return -EINVAL;
	}
	text_init(&text, storage, sizeof(storage));
	for (; *engines != NULL; engines++)
		text_printf(&text, "%s%s", text.len == 0 ? "" : ", ", *engines);
	report_alert(parser, "'relay': there is no engine '%s'; there are: %s", name, storage);
	return -EINVAL;
}

static int parse_relay(struct parser *parser, const struct statement *statement)
{
	const char *const *engines = parser->options->names.engines, *const * at;
	const char *name = statement->count > 0 ? statement->words[0] : "";
	const char **member = (const char **)(void *)((char *)statement->target + statement->keyword->offset);

	if (*name == '\0')
		return statement_refuse(parser, statement);
	for (at = engines; at != NULL && *at != NULL; at++) {
		if (strcmp(*at, name) == 0)
			break;
	}
	if (at != NULL && *at == NULL)
		return refuse_engine(parser, engines, name);
	*member = arena_copy(parser->arena, name);
	return 1;
}

static int parse_enabled(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	((struct config_proxy *)statement->target)->is_disabled = false;
	return 0;
}

static const struct keyword rows[] = {
	{
		.name = "backlog",
		.arguments = "<connections>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		COUNT_AT(struct config_proxy, backlog),
		.max = INT32_MAX,
		.default_text = "the proxy's 'maxconn'",
		.reload = RELOAD_RESTART,
		.sentence =
			"Connections the kernel may hold for each listening socket before they are accepted; the kernel's own limit is net.core.somaxconn.",
	},
	{
		.name = "bind",
		.arguments = "<address>[:<port>[-<port>]][,...] [<parameter> ...]",
		.sections = IN_CLIENT_SIDE,
		HANDLED_BY(bind_parse),
		.reload = RELOAD_RESTART,
		.sentence =
			"Addresses to accept connections on: IPv4, IPv6 in brackets, nothing or * for all, a unix socket's path, abns@name, fd@number or fd@name; several with commas, ports as ranges.",
	},
	{
		.name = "description",
		.arguments = "<text>",
		.sections = IN_PROXIES,
		SENTENCE_AT(struct config_proxy, description),
		.sentence = "Words for people, shown in statistics.",
	},
	{
		.name = "disabled",
		.sections = IN_DEFAULTS | IN_PROXIES,
		FLAG_AT(struct config_proxy, is_disabled),
		.reload = RELOAD_RESTART,
		.sentence = "Leaves the proxy out: it is checked, but never started.",
	},
	{
		.name = "enabled",
		.sections = IN_DEFAULTS | IN_PROXIES,
		HANDLED_BY(parse_enabled),
		.reload = RELOAD_RESTART,
		.sentence = "Takes back a 'disabled' of the defaults.",
	},
	{
		.name = "id",
		.arguments = "<number>",
		.sections = IN_PROXIES,
		COUNT_AT(struct config_proxy, id),
		.min = 1,
		.max = INT32_MAX,
		.default_text = "the lowest free one from 2 on",
		.sentence = "Number of the proxy in statistics, unique among all.",
	},
	{
		.name = "maxconn",
		.arguments = "<connections>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		COUNT_AT(struct config_proxy, maxconn),
		.max = INT32_MAX,
		.default_text = "0, the global 'maxconn'",
		.sentence =
			"Connections the frontend may have at a time; further ones wait in the kernel's backlog.",
	},
	{
		.name = "mode",
		.arguments = "tcp",
		.sections = IN_DEFAULTS | IN_PROXIES,
		HANDLED_BY(parse_mode),
		.default_text = "tcp",
		.sentence =
			"What is carried. There is only tcp; the word exists so that HAProxy's files can be used.",
	},
	{
		.name = "rate-limit sessions",
		.arguments = "<connections>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		COUNT_AT(struct config_proxy, rate_limit_sessions),
		.max = INT32_MAX,
		.unit = "connections a second",
		.default_text = "0, no limit",
		.sentence =
			"New connections the frontend accepts a second; further ones wait in the kernel's backlog.",
	},
	{
		.name = "relay",
		.arguments = "<engine>",
		.sections = IN_DEFAULTS | IN_PROXIES,
		.type = KEYWORD_HANDLER,
		.parse = parse_relay,
		.offset = MEMBER_OFFSET(struct config_proxy, relay, const char *),
		.default_text = "the global 'relay'",
		.sentence =
			"The engine that moves the bytes, or auto to let spliced choose and change it for each connection. Where a connection's frontend and backend differ, the backend's word counts, unless only the frontend has one. Names: see spliced -vv.",
	},
	{
		.name = "relay",
		.arguments = "<engine>",
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = parse_relay,
		.offset = MEMBER_OFFSET(struct config_global, relay, const char *),
		.default_text = "auto",
		.sentence = "The engine of proxies that name none.",
	},
};

const struct keyword_table keywords_proxy = {rows, ARRAY_LENGTH(rows)};
