/* The rows of 'option' that concern connections; those of the log are in keywords_log.c. */
#include <errno.h>
#include <limits.h>

#include "config/keyword.h"
#include "config/values.h"

/* option tcpka: both sides. */
static int parse_tcpka(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;

	(void)parser;
	proxy->client_keepalive.is_on = !statement->is_negated;
	proxy->server_keepalive.is_on = !statement->is_negated;
	return 0;
}

static int parse_redispatch(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;
	int64_t interval;

	if (statement->is_negated) {
		proxy->redispatch_interval = 0;
		return 0;
	}
	if (statement->count == 0) {
		proxy->redispatch_interval = -1;
		return 0;
	}
	if (value_parse_signed(statement->words[0], &interval) != VALUE_OK || interval > 1000 ||
		interval < -1000) {
		report_alert(parser, "'option redispatch' expects a number from -1000 to 1000, not '%s'",
			statement->words[0]);
		return -EINVAL;
	}
	proxy->redispatch_interval = (int)interval;
	return 1;
}

/* Times of keepalive are whole seconds; a bare number is seconds too. */
static int parse_keepalive_time(struct parser *parser, const struct statement *statement)
{
	unsigned *member = (unsigned *)(void *)((char *)statement->target + statement->keyword->offset);
	uint32_t value_ms;

	if (argument_time(parser, statement, 1000 * 1000, &value_ms) < 0)
		return -EINVAL;
	*member = (value_ms + 999) / 1000;
	return 1;
}

#define PROXY_FLAG(member) FLAG_AT(struct config_proxy, member), .may_negate = true

static const struct keyword rows[] = {
	{
		.name = "option abortonclose",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		PROXY_FLAG(has_abortonclose),
		.sentence =
			"Gives up a connection that still waits in a queue, or for its server, when the client closes its side.",
	},
	{
		.name = "option allbackups",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		PROXY_FLAG(has_allbackups),
		.sentence =
			"When no normal server is left, spreads connections over all backup servers instead of the first one only.",
	},
	{
		.name = "option clitcpka",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		PROXY_FLAG(client_keepalive.is_on),
		.sentence = "Lets the kernel send keepalive probes to idle clients.",
	},
	{
		.name = "option nolinger",
		.sections = IN_DEFAULTS | IN_PROXIES,
		PROXY_FLAG(has_nolinger),
		.sentence =
			"Closes sockets with a reset, throwing away what the other side has not taken yet. Loses data; only for hosts that run out of ports.",
	},
	{
		.name = "option redispatch",
		.arguments = "[<interval>]",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		HANDLED_BY(parse_redispatch),
		.may_negate = true,
		.default_text = "off; without an interval -1",
		.sentence =
			"Lets a retry choose another server: each <interval>th retry, or for -N the Nth before the last; -1 is the last one only, 0 never.",
	},
	{
		.name = "option splice-auto",
		.sections = IN_DEFAULTS | IN_PROXIES,
		PROXY_FLAG(has_splice_auto),
		.sentence =
			"Moves bytes through kernel pipes where that pays, which 'relay auto' does anyway; for configurations that have it.",
	},
	{
		.name = "option splice-request",
		.sections = IN_DEFAULTS | IN_PROXIES,
		PROXY_FLAG(has_splice_request),
		.sentence = "Always moves bytes from client to server through a kernel pipe.",
	},
	{
		.name = "option splice-response",
		.sections = IN_DEFAULTS | IN_PROXIES,
		PROXY_FLAG(has_splice_response),
		.sentence = "Always moves bytes from server to client through a kernel pipe.",
	},
	{
		.name = "option srvtcpka",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		PROXY_FLAG(server_keepalive.is_on),
		.sentence = "Lets the kernel send keepalive probes to idle servers.",
	},
	{
		.name = "option tcp-smart-accept",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		PROXY_FLAG(has_smart_accept),
		.sentence =
			"Delays the acknowledgement of a client's first bytes so that it travels with the answer.",
	},
	{
		.name = "option tcp-smart-connect",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		PROXY_FLAG(has_smart_connect),
		.sentence =
			"Completes the handshake with a server by the first data instead of an empty packet.",
	},
	{
		.name = "option tcpka",
		.sections = IN_DEFAULTS | IN_PROXIES,
		HANDLED_BY(parse_tcpka),
		.may_negate = true,
		.sentence =
			"Lets the kernel send keepalive probes on both sides: 'option clitcpka' and 'option srvtcpka' in one.",
	},
	{
		.name = "clitcpka-cnt",
		.arguments = "<count>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		COUNT_AT(struct config_proxy, client_keepalive.count),
		.min = 1,
		.max = 127,
		.default_text = "the kernel's",
		.sentence = "Unanswered keepalive probes after which a client counts as gone.",
	},
	{
		.name = "clitcpka-idle",
		.arguments = "<time>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		.type = KEYWORD_HANDLER,
		.parse = parse_keepalive_time,
		.offset = MEMBER_OFFSET(struct config_proxy, client_keepalive.idle_s, unsigned),
		.min = 1000,
		.max = 32767 * 1000,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence =
			"Idle time before the first keepalive probe to a client; a bare number is seconds.",
	},
	{
		.name = "clitcpka-intvl",
		.arguments = "<time>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		.type = KEYWORD_HANDLER,
		.parse = parse_keepalive_time,
		.offset = MEMBER_OFFSET(struct config_proxy, client_keepalive.interval_s, unsigned),
		.min = 1000,
		.max = 32767 * 1000,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence = "Time between keepalive probes to a client; a bare number is seconds.",
	},
	{
		.name = "srvtcpka-cnt",
		.arguments = "<count>",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		COUNT_AT(struct config_proxy, server_keepalive.count),
		.min = 1,
		.max = 127,
		.default_text = "the kernel's",
		.sentence = "Unanswered keepalive probes after which a server counts as gone.",
	},
	{
		.name = "srvtcpka-idle",
		.arguments = "<time>",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		.type = KEYWORD_HANDLER,
		.parse = parse_keepalive_time,
		.offset = MEMBER_OFFSET(struct config_proxy, server_keepalive.idle_s, unsigned),
		.min = 1000,
		.max = 32767 * 1000,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence =
			"Idle time before the first keepalive probe to a server; a bare number is seconds.",
	},
	{
		.name = "srvtcpka-intvl",
		.arguments = "<time>",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		.type = KEYWORD_HANDLER,
		.parse = parse_keepalive_time,
		.offset = MEMBER_OFFSET(struct config_proxy, server_keepalive.interval_s, unsigned),
		.min = 1000,
		.max = 32767 * 1000,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence = "Time between keepalive probes to a server; a bare number is seconds.",
	},
};

const struct keyword_table keywords_option = {rows, ARRAY_LENGTH(rows)};
