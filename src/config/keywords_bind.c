/* 'bind' and the parameters that follow its addresses. */
#include <errno.h>
#include <string.h>

#include "config/argument.h"
#include "config/keyword.h"
#include "config/proxy_words.h"
#include "config/values.h"

static int parse_defer_accept(struct parser *parser, const struct statement *statement)
{
	struct config_bind *bind = statement->target;

	(void)parser;
	bind->defer_accept_s = 1;
	return 0;
}

static int parse_nice(struct parser *parser, const struct statement *statement)
{
	struct config_bind *bind = statement->target;
	int64_t value;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (value_parse_signed(statement->words[0], &value) != VALUE_OK || value < -1024 || value > 1024) {
		report_alert(
			parser, "'nice' expects a number from -1024 to 1024, not '%s'", statement->words[0]);
		return -EINVAL;
	}
	bind->nice = (int)value;
	return 1;
}

static int parse_shards(struct parser *parser, const struct statement *statement)
{
	struct config_bind *bind = statement->target;
	uint64_t value = 0;

	if (statement->count > 0 && strcmp(statement->words[0], "by-thread") == 0) {
		bind->shards = 0;
		return 1;
	}
	if (argument_count(parser, statement, 0, &value) < 0)
		return -EINVAL;
	bind->shards = (unsigned)value;
	return 1;
}

#define PARAMETER .sections = ON_BIND

static const struct keyword parameters[] = {
	{
		.name = "accept-proxy",
		.arguments = "trusted <network>[,<network>...] or trusted any",
		PARAMETER,
		HANDLED_BY(proxy_words_parse_accept),
		.sentence =
			"Every connection begins with a header of the PROXY protocol, version 1 or 2, which says whose it is; the addresses in it take the place of the socket's in logs, 'balance source' and 'show sess'. Only proxies in the networks after 'trusted' may say so ('unix' stands for whoever may open the unix socket, 'any' for everybody); others are turned away. A connection waits for its header for 'timeout client-hs' at most. HAProxy trusts everybody, with no word for it; here a line that does not say whom is refused.",
	},
	{
		.name = "backlog",
		.arguments = "<connections>",
		PARAMETER,
		COUNT_AT(struct config_bind, backlog),
		.min = 1,
		.max = INT32_MAX,
		.default_text = "the proxy's 'backlog'",
		.reload = RELOAD_RESTART,
		.sentence = "Connections the kernel may hold that have not been accepted yet.",
	},
	{
		.name = "cc",
		.arguments = "<algorithm>",
		PARAMETER,
		TEXT_AT(struct config_bind, congestion),
		.default_text =
			"the system's; on the loopback network cubic or reno where the system's is bbr",
		.reload = RELOAD_RESTART,
		.sentence =
			"Congestion control of the connections from clients, of those in net.ipv4.tcp_available_congestion_control; others than net.ipv4.tcp_allowed_congestion_control has need the capability CAP_NET_ADMIN.",
	},
	{
		.name = "defer-accept",
		PARAMETER,
		HANDLED_BY(parse_defer_accept),
		.sentence =
			"Accepts a connection when its first data arrives, or after a second. Not for protocols where the server speaks first.",
	},
	{
		.name = "gid",
		.arguments = "<number>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_bind, unix_gid, int),
		.max = INT32_MAX,
		.default_text = "the process's",
		.sentence = "Group of a unix socket's file, by number.",
	},
	{
		.name = "group",
		.arguments = "<name>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_group,
		.offset = MEMBER_OFFSET(struct config_bind, unix_gid, int),
		.default_text = "the process's",
		.sentence = "Group of a unix socket's file.",
	},
	{
		.name = "id",
		.arguments = "<number>",
		PARAMETER,
		COUNT_AT(struct config_bind, id),
		.min = 1,
		.max = INT32_MAX,
		.default_text = "the lowest free one",
		.sentence =
			"Number of the listening socket in statistics; only on a line with a single address.",
	},
	{
		.name = "interface",
		.arguments = "<name>",
		PARAMETER,
		TEXT_AT(struct config_bind, interface),
		.default_text = "all",
		.reload = RELOAD_RESTART,
		.sentence =
			"Accepts connections that arrive over this network interface only. May need the capability CAP_NET_RAW.",
	},
	{
		.name = "maxconn",
		.arguments = "<connections>",
		PARAMETER,
		COUNT_AT(struct config_bind, maxconn),
		.max = INT32_MAX,
		.default_text = "the proxy's 'maxconn'",
		.sentence = "Connections this socket may have at a time; further ones wait in the backlog.",
	},
	{
		.name = "mode",
		.arguments = "<octal>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_mode,
		.offset = MEMBER_OFFSET(struct config_bind, unix_mode, int),
		.default_text = "by the process's umask",
		.sentence = "File mode of a unix socket.",
	},
	{
		.name = "mss",
		.arguments = "<bytes>",
		PARAMETER,
		COUNT_AT(struct config_bind, mss),
		.min = 1,
		.max = 65535,
		.unit = "bytes",
		.default_text = "the kernel's",
		.sentence = "Largest TCP segment announced to clients.",
	},
	{
		.name = "name",
		.arguments = "<name>",
		PARAMETER,
		TEXT_AT(struct config_bind, name),
		.sentence = "Name of the socket in statistics.",
	},
	{
		.name = "nice",
		.arguments = "<number>",
		PARAMETER,
		HANDLED_BY(parse_nice),
		.default_text = "0",
		.sentence =
			"From -1024 to 1024. Understood for the sake of existing files, without effect: every connection is served alike.",
	},
	{
		.name = "shards",
		.arguments = "<number> or by-thread",
		PARAMETER,
		HANDLED_BY(parse_shards),
		.min = 1,
		.max = 256,
		.default_text = "by-thread",
		.reload = RELOAD_RESTART,
		.sentence =
			"Listening sockets opened for the address, over which the kernel spreads connections. HAProxy's default is 1.",
	},
	{
		.name = "tcp-ut",
		.arguments = "<time>",
		PARAMETER,
		TIME_AT(struct config_bind, tcp_user_timeout_ms),
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "the kernel's",
		.sentence =
			"Time sent bytes may stay unacknowledged by a client before the connection counts as broken.",
	},
	{
		.name = "tfo",
		PARAMETER,
		FLAG_AT(struct config_bind, has_tfo),
		.sentence = "Accepts data in a client's first packet (TCP Fast Open).",
	},
	{
		.name = "transparent",
		PARAMETER,
		FLAG_AT(struct config_bind, is_transparent),
		.reload = RELOAD_RESTART,
		.sentence =
			"Binds an address that the machine does not have. Needs the capability CAP_NET_ADMIN.",
	},
	{
		.name = "uid",
		.arguments = "<number>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_bind, unix_uid, int),
		.max = INT32_MAX,
		.default_text = "the process's",
		.sentence = "Owner of a unix socket's file, by number.",
	},
	{
		.name = "user",
		.arguments = "<name>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_user,
		.offset = MEMBER_OFFSET(struct config_bind, unix_uid, int),
		.default_text = "the process's",
		.sentence = "Owner of a unix socket's file.",
	},
	{
		.name = "v4v6",
		PARAMETER,
		FLAG_AT(struct config_bind, is_v4v6),
		.reload = RELOAD_RESTART,
		.sentence = "Lets the IPv6 wildcard address accept IPv4 connections too.",
	},
	{
		.name = "v6only",
		PARAMETER,
		FLAG_AT(struct config_bind, is_v6only),
		.reload = RELOAD_RESTART,
		.sentence = "Keeps the IPv6 wildcard address from accepting IPv4 connections.",
	},
};

const struct keyword_table keywords_bind = {parameters, ARRAY_LENGTH(parameters)};
