/* The parameters of 'server' and 'default-server'. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "config/argument.h"
#include "config/keyword.h"
#include "config/proxy_words.h"
#include "config/values.h"

static int parse_source(struct parser *parser, const struct statement *statement)
{
	struct config_server *server = statement->target;

	return argument_source(parser, statement, &server->source);
}

static int parse_interface(struct parser *parser, const struct statement *statement)
{
	struct config_server *server = statement->target;

	if (statement->count == 0 || statement->words[0][0] == '\0' ||
		strlen(statement->words[0]) >= IF_NAMESIZE)
		return statement_refuse(parser, statement);
	server->source.interface = arena_copy(parser->arena, statement->words[0]);
	return 1;
}

/* The words that take a flag of default-server back. */
static int parse_no_backup(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	((struct config_server *)statement->target)->is_backup = false;
	return 0;
}

static int parse_no_send_proxy(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	((struct config_server *)statement->target)->send_proxy.has_v1 = false;
	return 0;
}

static int parse_no_send_proxy_v2(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	struct config_send_proxy *send = &((struct config_server *)statement->target)->send_proxy;
	*send = (struct config_send_proxy){.has_v1 = send->has_v1};
	return 0;
}

static int parse_no_tfo(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	((struct config_server *)statement->target)->has_tfo = false;
	return 0;
}

static int parse_enabled(struct parser *parser, const struct statement *statement)
{
	(void)parser;
	((struct config_server *)statement->target)->is_disabled = false;
	return 0;
}

/* Words that have one action only so far. */
static int parse_action(struct parser *parser, const struct statement *statement)
{
	const struct keyword *keyword = statement->keyword;
	const char *const action[] = {keyword->arguments, NULL};

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (strcmp(statement->words[0], keyword->arguments) != 0)
		return statement_refuse_word(
			parser, statement, statement->words[0], name_nearest(action, statement->words[0]));
	*(bool *)((char *)statement->target + keyword->offset) = true;
	return 1;
}

#define ACTION_AT(member)                               \
	.type = KEYWORD_HANDLER, .parse = parse_action, \
	.offset = MEMBER_OFFSET(struct config_server, member, bool)

#define PARAMETER .sections = ON_SERVER

static const struct keyword parameters[] = {
	{
		.name = "backup",
		PARAMETER,
		FLAG_AT(struct config_server, is_backup),
		.sentence = "Uses the server only when no normal one is available.",
	},
	{
		.name = "cc",
		.arguments = "<algorithm>",
		PARAMETER,
		TEXT_AT(struct config_server, congestion),
		.default_text =
			"the system's; on the loopback network cubic or reno where the system's is bbr",
		.sentence =
			"Congestion control of the connections to the server, of those in net.ipv4.tcp_available_congestion_control; others than net.ipv4.tcp_allowed_congestion_control has need the capability CAP_NET_ADMIN.",
	},
	{
		.name = "disabled",
		PARAMETER,
		FLAG_AT(struct config_server, is_disabled),
		.sentence =
			"Starts with the server in maintenance: it gets no connection until it is enabled on the runtime socket.",
	},
	{
		.name = "enabled",
		PARAMETER,
		HANDLED_BY(parse_enabled),
		.sentence = "Takes back a 'disabled' of 'default-server'.",
	},
	{
		.name = "id",
		.arguments = "<number>",
		PARAMETER,
		COUNT_AT(struct config_server, id),
		.min = 1,
		.max = INT32_MAX,
		.default_text = "the lowest free one",
		.sentence = "Number of the server in statistics, unique in its backend.",
	},
	{
		.name = "interface",
		.arguments = "<name>",
		PARAMETER,
		HANDLED_BY(parse_interface),
		.sentence = "Connects over this network interface. May need the capability CAP_NET_RAW.",
	},
	{
		.name = "maxconn",
		.arguments = "<connections>",
		PARAMETER,
		COUNT_AT(struct config_server, maxconn),
		.max = INT32_MAX,
		.default_text = "0, no limit",
		.sentence = "Connections the server may have at a time; further ones wait in a queue.",
	},
	{
		.name = "maxqueue",
		.arguments = "<connections>",
		PARAMETER,
		COUNT_AT(struct config_server, maxqueue),
		.max = INT32_MAX,
		.default_text = "0, no limit",
		.sentence =
			"Connections that may wait for this server; further ones go to another one. Those that wait for any server are at most the sum over the servers, when all have a bound.",
	},
	{
		.name = "minconn",
		.arguments = "<connections>",
		PARAMETER,
		COUNT_AT(struct config_server, minconn),
		.max = INT32_MAX,
		.default_text = "0, off",
		.sentence =
			"Lower bound of a limit that grows up to 'maxconn' with the backend's load, reaching it at 'fullconn'.",
	},
	{
		.name = "no-backup",
		PARAMETER,
		HANDLED_BY(parse_no_backup),
		.sentence = "Takes back a 'backup' of 'default-server'.",
	},
	{
		.name = "no-send-proxy",
		PARAMETER,
		HANDLED_BY(parse_no_send_proxy),
		.sentence = "Takes back a 'send-proxy' of 'default-server'.",
	},
	{
		.name = "no-send-proxy-v2",
		PARAMETER,
		HANDLED_BY(parse_no_send_proxy_v2),
		.sentence = "Takes back a 'send-proxy-v2' of 'default-server', and its 'proxy-v2-options'.",
	},
	{
		.name = "no-tfo",
		PARAMETER,
		HANDLED_BY(parse_no_tfo),
		.sentence = "Takes back a 'tfo' of 'default-server'.",
	},
	{
		.name = "on-marked-down",
		.arguments = "shutdown-sessions",
		PARAMETER,
		ACTION_AT(has_shutdown_on_down),
		.sentence =
			"Ends the server's connections when it goes down or into maintenance; they are logged with the cause D.",
	},
	{
		.name = "on-marked-up",
		.arguments = "shutdown-backup-sessions",
		PARAMETER,
		ACTION_AT(has_backup_shutdown_on_up),
		.sentence =
			"Ends the connections of all backup servers of the backend when this server, itself no backup, is back with a weight above 0; they are logged with the cause U.",
	},
	{
		.name = "proxy-v2-options",
		.arguments = "<option>[,<option>...]",
		PARAMETER,
		HANDLED_BY(proxy_words_parse_options),
		.default_text = "none",
		.sentence =
			"What 'send-proxy-v2' sends beside the addresses: 'crc32c', a checksum of the header; 'authority' and 'unique-id', the host name and the connection's identity. The latter two are passed on from the header that 'accept-proxy' has read; where none came nothing is sent. An ALPN protocol that came is always passed on.",
	},
	{
		.name = "send-proxy",
		PARAMETER,
		FLAG_AT(struct config_server, send_proxy.has_v1),
		.sentence =
			"Begins each connection to the server with a header of the PROXY protocol, version 1, that names the client's address and the one it connected to, as 'accept-proxy' has learned them if it is in force. Connections by unix sockets are UNKNOWN in it. The server must expect the header.",
	},
	{
		.name = "send-proxy-v2",
		PARAMETER,
		FLAG_AT(struct config_server, send_proxy.has_v2),
		.sentence =
			"Like 'send-proxy', but the header has version 2, also if both words are there. Connections by unix sockets are LOCAL in it, as HAProxy sends them.",
	},
	{
		.name = "slowstart",
		.arguments = "<time>",
		PARAMETER,
		TIME_AT(struct config_server, slowstart_ms),
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "0, off",
		.sentence =
			"Time over which a server that is back from being down or in maintenance comes to its full weight (not with static-rr and map-based hashes) and its full limit of connections, both growing evenly from the least. Never at the program's start.",
	},
	{
		.name = "source",
		.arguments = ARGUMENT_SOURCE,
		PARAMETER,
		HANDLED_BY(parse_source),
		.default_text = "the proxy's 'source'",
		.sentence =
			"Connects from this address, and from one of these ports when they are given, as the proxy's 'source' says. 'usesrc' shows the server another address, as there.",
	},
	{
		.name = "tcp-ut",
		.arguments = "<time>",
		PARAMETER,
		TIME_AT(struct config_server, tcp_user_timeout_ms),
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence =
			"Time sent bytes may stay unacknowledged by the server before the connection counts as broken.",
	},
	{
		.name = "tfo",
		PARAMETER,
		FLAG_AT(struct config_server, has_tfo),
		.sentence =
			"Sends data in the first packet to the server (TCP Fast Open); a connection that does so counts "
			"as made at once: 'timeout connect', 'retries' and redispatch do not apply to it.",
	},
	{
		.name = "track",
		.arguments = "[<backend>/]<server>",
		PARAMETER,
		TEXT_AT(struct config_server, track),
		.sentence =
			"Follows another server's state: this one is down, drained or in maintenance whenever that one is. A server that tracks may itself be tracked.",
	},
	{
		.name = "weight",
		.arguments = "<number>",
		PARAMETER,
		COUNT_AT(struct config_server, weight),
		.max = 256,
		.default_text = "1",
		.sentence =
			"Share of the server in the balance, compared with the other servers'; 0 takes no new connection.",
	},
};

const struct keyword_table keywords_server = {parameters, ARRAY_LENGTH(parameters)};
