/* The rows that concern logging. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "config/keyword.h"
#include "config/log_line.h"

static int parse_tcplog(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;

	if (parser->section == IN_BACKEND) {
		report_warning(
			parser, "'option tcplog' ignored: backend '%s' has no client side", proxy->name);
		return 0;
	}
	proxy->log_format = statement->is_negated ? NULL : CONFIG_LOG_FORMAT_TCP;
	return 0;
}

static int parse_send_hostname(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	char name[HOST_NAME_MAX + 1] = "";

	if (statement->count > 0 && statement->words[0][0] != '\0') {
		global->log_send_hostname = arena_copy(parser->arena, statement->words[0]);
		return 1;
	}
	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0') {
		report_alert(parser, "'log-send-hostname': this machine has no host name, write one");
		return -EINVAL;
	}
	global->log_send_hostname = arena_copy(parser->arena, name);
	return (int)statement->count;
}

#define LOG_ARGUMENTS "<target> [len <bytes>] [format <format>] <facility> [<level> [<lowest level>]]"
#define LOG_SENTENCE                                                                                        \
	"Sends lines to a target: an IP address with or without a port (syslog over UDP), a unix socket, "  \
	"stdout, stderr or fd@number. Formats: rfc3164, rfc5424, priority, short, timed, iso, raw, local. " \
	"Lines less severe than the level are dropped; those more severe than the lowest level are lowered to it. "

static const struct keyword rows[] = {
	{
		.name = "log",
		.arguments = LOG_ARGUMENTS,
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = log_line_parse,
		.offset = MEMBER_OFFSET(struct config_global, logs, struct config_log *),
		.may_negate = true,
		.default_text = "no log; format rfc3164, len 1024, level debug",
		.sentence = LOG_SENTENCE "Proxies use these targets by 'log global'.",
	},
	{
		.name = "log",
		.arguments = LOG_ARGUMENTS ", or global",
		.sections = IN_DEFAULTS | IN_PROXIES,
		.type = KEYWORD_HANDLER,
		.parse = log_line_parse,
		.offset = MEMBER_OFFSET(struct config_proxy, logs, struct config_log *),
		.may_negate = true,
		.default_text = "no log; format rfc3164, len 1024, level debug",
		.sentence = LOG_SENTENCE
		"'log global' takes the targets of the global section; 'no log' forgets those of the defaults.",
	},
	{
		.name = "log-format",
		.arguments = "<format>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		TEXT_AT(struct config_proxy, log_format),
		.default_text = "a short line with both addresses and the frontend",
		.sentence = "The text of a connection's line, with the variables %name that concern TCP.",
	},
	{
		.name = "log-send-hostname",
		.arguments = "[<name>]",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_send_hostname),
		.default_text = "off; without a name the machine's",
		.sentence = "Puts a host name into the header of syslog lines.",
	},
	{
		.name = "log-tag",
		.arguments = "<name>",
		.sections = IN_GLOBAL,
		TEXT_AT(struct config_global, log_tag),
		.default_text = "spliced",
		.sentence = "Name of the program in syslog lines.",
	},
	{
		.name = "log-tag",
		.arguments = "<name>",
		.sections = IN_DEFAULTS | IN_PROXIES,
		TEXT_AT(struct config_proxy, log_tag),
		.default_text = "the global 'log-tag'",
		.sentence = "Name of the program in this proxy's syslog lines.",
	},
	{
		.name = "option contstats",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_contstats),
		.may_negate = true,
		.sentence = "Counts bytes while connections run instead of at their end.",
	},
	{
		.name = "option dontlog-normal",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_dontlog_normal),
		.may_negate = true,
		.sentence = "Logs only connections that did not end in order.",
	},
	{
		.name = "option dontlognull",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_dontlognull),
		.may_negate = true,
		.sentence = "Does not log connections on which no byte was transferred, such as probes.",
	},
	{
		.name = "option log-separate-errors",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_log_separate_errors),
		.may_negate = true,
		.sentence = "Logs connections that did not end in order at level err instead of info.",
	},
	{
		.name = "option logasap",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_logasap),
		.may_negate = true,
		.sentence =
			"Logs a connection when its server is connected instead of at its end; times and bytes then carry a '+'.",
	},
	{
		.name = "option socket-stats",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		FLAG_AT(struct config_proxy, has_socket_stats),
		.may_negate = true,
		.sentence = "Shows each listening socket by itself in statistics.",
	},
	{
		.name = "option tcplog",
		.sections = IN_DEFAULTS | IN_PROXIES,
		HANDLED_BY(parse_tcplog),
		.may_negate = true,
		.sentence =
			"Logs a connection with its times, bytes, end state and the connection counts and queues at its end.",
	},
};

const struct keyword_table keywords_log = {rows, ARRAY_LENGTH(rows)};
