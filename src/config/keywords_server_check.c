/* The parameters of 'server' and 'default-server' that are about its health. */
#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/keyword.h"
#include "config/values.h"

static struct config_server *server_of(const struct statement *statement)
{
	return statement->target;
}

static int parse_no_check(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	server_of(statement)->check.is_on = false;
	return 0;
}

static int parse_no_agent(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	server_of(statement)->agent.is_on = false;
	return 0;
}

static int parse_no_check_send_proxy(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	server_of(statement)->check.has_send_proxy = false;
	return 0;
}

/* A host without a port. */
static int parse_host(struct parser *parser, const struct statement *statement)
{
	const struct keyword *keyword = statement->keyword;
	struct address *address = (struct address *)(void *)((char *)statement->target + keyword->offset);
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	return argument_host(parser, keyword->name, statement->words[0], address) < 0 ? -EINVAL : 1;
}

static int parse_observe(struct parser *parser, const struct statement *statement)
{
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (strcmp(statement->words[0], "layer7") == 0) {
		report_alert(
			parser, "'observe layer7' is for HTTP, which spliced does not carry (mode tcp only)");
		return -EINVAL;
	}
	if (strcmp(statement->words[0], "layer4") != 0)
		return statement_refuse_word(parser, statement, statement->words[0], "layer4");
	server_of(statement)->check.is_observing = true;
	return 1;
}

static const struct lookup on_errors[] = {
	{"fastinter", CONFIG_ON_ERROR_FASTINTER},
	{"fail-check", CONFIG_ON_ERROR_FAIL_CHECK},
	{"sudden-death", CONFIG_ON_ERROR_SUDDEN_DEATH},
	{"mark-down", CONFIG_ON_ERROR_MARK_DOWN},
	{"eject", CONFIG_ON_ERROR_EJECT},
};

static int parse_on_error(struct parser *parser, const struct statement *statement)
{
	const char *names[ARRAY_LENGTH(on_errors) + 1] = {NULL};
	int value;
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	for (size_t i = 0; i < ARRAY_LENGTH(on_errors); i++)
		names[i] = on_errors[i].name;
	if (!lookup_value(on_errors, ARRAY_LENGTH(on_errors), statement->words[0], &value))
		return statement_refuse_word(
			parser, statement, statement->words[0], name_nearest(names, statement->words[0]));
	server_of(statement)->check.on_error = (enum config_on_error)value;
	return 1;
}

#define PARAMETER .sections = ON_SERVER
#define HOST_AT(member)                               \
	.type = KEYWORD_HANDLER, .parse = parse_host, \
	.offset = MEMBER_OFFSET(struct config_server, member, struct address)
#define INTERVAL_AT(member)                                                                                \
	.arguments = "<time>", PARAMETER, TIME_AT(struct config_server, member), .max = VALUE_TIME_MS_MAX, \
	.unit = "ms"

static const struct keyword parameters[] = {
	{
		.name = "addr",
		.arguments = "<address>",
		PARAMETER,
		HOST_AT(check.address),
		.default_text = "the server's",
		.sentence =
			"Address that health checks, and the agent's unless 'agent-addr' names another, connect to. The PROXY protocol is then only sent with 'check-send-proxy'.",
	},
	{
		.name = "agent-addr",
		.arguments = "<address>",
		PARAMETER,
		HOST_AT(agent.address),
		.default_text = "'addr', else the server's",
		.sentence = "Address that the agent is asked at.",
	},
	{
		.name = "agent-check",
		PARAMETER,
		FLAG_AT(struct config_server, agent.is_on),
		.sentence =
			"Asks an agent at 'agent-port' every 'agent-inter' about the server. It answers one line of words: 'up', or 'down', 'stopped' or 'fail' with a reason after '#'; 'ready', 'drain' or 'maint'; a percentage for the weight; 'maxconn:' and a number. What the line does not name stays. That an agent cannot be reached has no consequence.",
	},
	{
		.name = "agent-inter",
		INTERVAL_AT(agent.inter_ms),
		.min = 1,
		.default_text = "2s",
		.sentence =
			"Time between two questions to the agent; it may take as long to answer unless 'timeout check' is set.",
	},
	{
		.name = "agent-port",
		.arguments = "<port>",
		PARAMETER,
		COUNT_AT(struct config_server, agent.port),
		.min = 1,
		.max = UINT16_MAX,
		.sentence = "Port that the agent is asked at.",
	},
	{
		.name = "agent-send",
		.arguments = "<text>",
		PARAMETER,
		TEXT_AT(struct config_server, agent.greeting),
		.default_text = "nothing",
		.sentence = "Text that is sent to the agent first; a line's end is written as \\n.",
	},
	{
		.name = "check",
		PARAMETER,
		FLAG_AT(struct config_server, check.is_on),
		.sentence =
			"Checks the server's health every 'inter', by a connection or by what 'option tcp-check' and the other options for checks say. It starts as up, and the first failure takes it down. In maintenance it is not checked.",
	},
	{
		.name = "check-send-proxy",
		PARAMETER,
		FLAG_AT(struct config_server, check.has_send_proxy),
		.default_text = "as the server's connections, unless 'addr' or 'port' is there",
		.sentence =
			"Begins checks with a header of the PROXY protocol that says the connection is our own: LOCAL in version 2, which is sent where the server has 'send-proxy-v2', else UNKNOWN in version 1.",
	},
	{
		.name = "downinter",
		INTERVAL_AT(check.downinter_ms),
		.default_text = "'inter'",
		.sentence = "Time between two checks of a server that is down.",
	},
	{
		.name = "eject-max-time",
		INTERVAL_AT(check.eject_max_ms),
		.min = 1,
		.default_text = "5m",
		.sentence = "The longest time that a server is out by 'on-error eject'.",
	},
	{
		.name = "eject-time",
		INTERVAL_AT(check.eject_ms),
		.min = 1,
		.default_text = "30s",
		.sentence =
			"How long 'on-error eject' takes a server out the first time. Each time that it is ejected again before it has been back for as long as it was out, the time doubles, up to 'eject-max-time'.",
	},
	{
		.name = "error-limit",
		.arguments = "<count>",
		PARAMETER,
		COUNT_AT(struct config_server, check.errors_max),
		.min = 1,
		.max = INT32_MAX,
		.default_text = "10",
		.sentence = "Connections in a row that must fail until 'observe' does what 'on-error' says.",
	},
	{
		.name = "fall",
		.arguments = "<count>",
		PARAMETER,
		COUNT_AT(struct config_server, check.fall),
		.min = 1,
		.max = 65535,
		.default_text = "3",
		.sentence = "Checks in a row that must fail until the server is down.",
	},
	{
		.name = "fastinter",
		INTERVAL_AT(check.fastinter_ms),
		.default_text = "'inter'",
		.sentence = "Time between two checks of a server that is on its way from up to down or back.",
	},
	{
		.name = "inter",
		INTERVAL_AT(check.inter_ms),
		.min = 1,
		.default_text = "2s",
		.sentence =
			"Time from the end of a check to the next one; a check may take as long unless 'timeout check' is set.",
	},
	{
		.name = "no-agent-check",
		PARAMETER,
		HANDLED_BY(parse_no_agent),
		.sentence = "Takes back an 'agent-check' of 'default-server'.",
	},
	{
		.name = "no-check",
		PARAMETER,
		HANDLED_BY(parse_no_check),
		.sentence = "Takes back a 'check' of 'default-server'.",
	},
	{
		.name = "no-check-send-proxy",
		PARAMETER,
		HANDLED_BY(parse_no_check_send_proxy),
		.sentence = "Takes back a 'check-send-proxy' of 'default-server'.",
	},
	{
		.name = "observe",
		.arguments = "layer4",
		PARAMETER,
		HANDLED_BY(parse_observe),
		.default_text = "off",
		.sentence =
			"Counts the connections of clients that cannot be made to the server; one that is made begins the count anew. Needs 'check'.",
	},
	{
		.name = "on-error",
		.arguments = "{fastinter | fail-check | sudden-death | mark-down | eject}",
		PARAMETER,
		HANDLED_BY(parse_on_error),
		.default_text = "fail-check",
		.sentence =
			"What 'error-limit' failed connections in a row do: all of them bring the next check forward to 'fastinter'; 'fail-check' counts as a failed check too, 'sudden-death' leaves one more failure until the server is down, 'mark-down' takes it down at once. Checks bring it back. 'eject', which HAProxy does not have, takes it down for 'eject-time' whatever checks would say, unless that would be more servers than 'max-ejected' allows.",
	},
	{
		.name = "port",
		.arguments = "<port>",
		PARAMETER,
		COUNT_AT(struct config_server, check.port),
		.min = 1,
		.max = UINT16_MAX,
		.default_text = "the server's",
		.sentence =
			"Port that health checks connect to. The PROXY protocol is then only sent with 'check-send-proxy'.",
	},
	{
		.name = "rise",
		.arguments = "<count>",
		PARAMETER,
		COUNT_AT(struct config_server, check.rise),
		.min = 1,
		.max = 65535,
		.default_text = "2",
		.sentence = "Checks in a row that must succeed until a server that is down is up again.",
	},
};

const struct keyword_table keywords_server_check = {parameters, ARRAY_LENGTH(parameters)};
