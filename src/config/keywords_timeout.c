/* The rows of 'timeout'.  What is not written gets its default in validate.c. */
#include <errno.h>
#include <string.h>

#include "config/keyword.h"
#include "config/values.h"

/* A time-out of 0 is understood as none and warned about. */
static int parse_timeout(struct parser *parser, const struct statement *statement)
{
	const struct keyword *keyword = statement->keyword;
	size_t member = (keyword->offset - offsetof(struct config_proxy, timeouts)) / sizeof(uint32_t);
	uint32_t value_ms;

	if (argument_time(parser, statement, 1000, &value_ms) < 0)
		return -EINVAL;
	if (value_ms == 0 && strcmp(keyword->name, "timeout tunnel") != 0 &&
		strcmp(keyword->name, "timeout check") != 0)
		report_warning(parser, "'%s 0' means no limit: connections may stay for ever", keyword->name);
	memcpy((char *)statement->target + keyword->offset, &value_ms, sizeof(value_ms));
	parser->draft->timeouts_given |= 1U << member;
	return 1;
}

#define TIMEOUT_AT(member)                                                                     \
	.arguments = "<time>", .type = KEYWORD_HANDLER, .parse = parse_timeout,                \
	.offset = MEMBER_OFFSET(struct config_proxy, timeouts.member, uint32_t), .unit = "ms", \
	.max = VALUE_TIME_MS_MAX

static const struct keyword rows[] = {
	{
		.name = "timeout check",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(check_ms),
		.default_text = "none: the whole check has 'inter'",
		.sentence =
			"Time a health check may take once it is connected; connecting then has the shorter one of 'inter' and 'timeout connect'.",
	},
	{
		.name = "timeout client",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		TIMEOUT_AT(client_ms),
		.default_text = "5m",
		.sentence =
			"Ends a connection whose client has neither sent nor taken a byte for this long. HAProxy has no limit unless one is written.",
	},
	{
		.name = "timeout client-fin",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		TIMEOUT_AT(client_fin_ms),
		.default_text = "'timeout tunnel', else 'timeout client'",
		.sentence =
			"Takes the place of 'timeout client' once one side has ended its sending: how long a half-closed connection may be idle.",
	},
	{
		.name = "timeout client-hs",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		TIMEOUT_AT(client_hs_ms),
		.default_text = "10s",
		.sentence =
			"Time a client has for a handshake that must come before its data: for the header that 'accept-proxy' expects.",
	},
	{
		.name = "timeout connect",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(connect_ms),
		.default_text = "5s",
		.sentence =
			"Time one attempt to connect to a server may take. HAProxy has no limit unless one is written.",
	},
	{
		.name = "timeout queue",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(queue_ms),
		.default_text = "the value of 'timeout connect'",
		.sentence = "Time a connection may wait for a server that has reached its 'maxconn'.",
	},
	{
		.name = "timeout server",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(server_ms),
		.default_text = "5m",
		.sentence =
			"Ends a connection whose server has neither sent nor taken a byte for this long. HAProxy has no limit unless one is written.",
	},
	{
		.name = "timeout server-fin",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(server_fin_ms),
		.default_text = "'timeout tunnel', else 'timeout server'",
		.sentence = "Takes the place of 'timeout server' once one side has ended its sending.",
	},
	{
		.name = "timeout tunnel",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		TIMEOUT_AT(tunnel_ms),
		.default_text = "none",
		.sentence =
			"Takes the place of both 'timeout client' and 'timeout server' once bytes have gone both ways; for connections that are idle for long, such as databases and shells.",
	},
};

const struct keyword_table keywords_timeout = {rows, ARRAY_LENGTH(rows)};
