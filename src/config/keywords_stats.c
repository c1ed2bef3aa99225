/* The rows of the runtime socket and the metrics page. */
#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/keyword.h"

static const struct lookup level_names[] = {
	{"user", CONFIG_LEVEL_USER},
	{"operator", CONFIG_LEVEL_OPERATOR},
	{"admin", CONFIG_LEVEL_ADMIN},
};

static int parse_level(struct parser *parser, const struct statement *statement)
{
	struct config_stats_socket *stats_socket = statement->target;
	int value;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (!lookup_value(level_names, ARRAY_LENGTH(level_names), statement->words[0], &value))
		return statement_refuse_word(parser, statement, statement->words[0], NULL);
	stats_socket->level = (enum config_runtime_level)value;
	return 1;
}

static int parse_expose_fd(struct parser *parser, const struct statement *statement)
{
	struct config_stats_socket *stats_socket = statement->target;

	if (statement->count == 0 || strcmp(statement->words[0], "listeners") != 0)
		return statement_refuse(parser, statement);
	stats_socket->expose_fd_listeners = true;
	return 1;
}

static int parse_socket(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	struct config_stats_socket stats_socket = {
		.mode = -1, .uid = -1, .gid = -1, .level = CONFIG_LEVEL_OPERATOR, .place = parser->place};
	struct config_stats_socket **end = &global->stats_sockets, *copy;
	struct parameters parameters = {.line = ON_STATS_SOCKET, .target = &stats_socket};

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	parameters.words = statement->words + 1;
	parameters.count = statement->count - 1;
	if (keyword_run_parameters(parser, &parameters) < 0)
		return -EINVAL;
	if (argument_address(parser, statement->keyword->name, statement->words[0], &stats_socket.address) <
		0)
		return -EINVAL;
	while (*end != NULL)
		end = &(*end)->next;
	copy = arena_alloc(parser->arena, sizeof(*copy));
	*copy = stats_socket;
	*end = copy;
	return (int)statement->count;
}

static int parse_metrics(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	bool has_names = statement->count > 1 && strcmp(statement->words[1], "haproxy-names") == 0;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	if (argument_address(
		    parser, statement->keyword->name, statement->words[0], &global->metrics_address) < 0)
		return -EINVAL;
	if (global->metrics_address.any.sa_family == AF_UNIX) {
		report_alert(parser, "'metrics bind' expects an IP address and a port, not a unix socket");
		return -EINVAL;
	}
	global->has_metrics = true;
	global->has_haproxy_names = has_names;
	return has_names ? 2 : 1;
}

#define PARAMETER .sections = ON_STATS_SOCKET

static const struct keyword rows[] = {
	{
		.name = "metrics bind",
		.arguments = "<address>:<port> [haproxy-names]",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_metrics),
		.reload = RELOAD_RESTART,
		.default_text = "no metrics page",
		.sentence =
			"Serves /metrics for Prometheus and /stats.json over HTTP there; haproxy-names gives the metrics HAProxy's prefix.",
	},
	{
		.name = "stats maxconn",
		.arguments = "<connections>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, stats_maxconn),
		.min = 1,
		.max = 100000,
		.default_text = "10",
		.sentence = "Clients that may be on the runtime sockets at a time.",
	},
	{
		.name = "stats socket",
		.arguments = "<address> [<parameter> ...]",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_socket),
		.reload = RELOAD_RESTART,
		.default_text = "no runtime socket",
		.sentence =
			"Opens a runtime socket there: a unix socket's path, abns@name or an IP address with a port. May be repeated.",
	},
	{
		.name = "stats timeout",
		.arguments = "<time>",
		.sections = IN_GLOBAL,
		TIME_AT(struct config_global, stats_timeout_ms),
		.min = 1,
		.max = INT32_MAX,
		.unit = "ms",
		.default_text = "10s",
		.sentence = "Idle time after which a runtime socket's client is disconnected.",
	},
	{
		.name = "expose-fd",
		.arguments = "listeners",
		PARAMETER,
		HANDLED_BY(parse_expose_fd),
		.sentence = "Lets a new process take the listening sockets over through this socket.",
	},
	{
		.name = "gid",
		.arguments = "<number>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_stats_socket, gid, int),
		.max = INT32_MAX,
		.default_text = "the process's",
		.sentence = "Group of the socket's file, by number.",
	},
	{
		.name = "group",
		.arguments = "<name>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_group,
		.offset = MEMBER_OFFSET(struct config_stats_socket, gid, int),
		.default_text = "the process's",
		.sentence = "Group of the socket's file.",
	},
	{
		.name = "level",
		.arguments = "user, operator or admin",
		PARAMETER,
		HANDLED_BY(parse_level),
		.default_text = "operator",
		.sentence = "What clients may do: only look, also change what is harmless, or everything.",
	},
	{
		.name = "mode",
		.arguments = "<octal>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_mode,
		.offset = MEMBER_OFFSET(struct config_stats_socket, mode, int),
		.default_text = "by the process's umask",
		.sentence = "Mode of the socket's file.",
	},
	{
		.name = "uid",
		.arguments = "<number>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_stats_socket, uid, int),
		.max = INT32_MAX,
		.default_text = "the process's",
		.sentence = "Owner of the socket's file, by number.",
	},
	{
		.name = "user",
		.arguments = "<name>",
		PARAMETER,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_user,
		.offset = MEMBER_OFFSET(struct config_stats_socket, uid, int),
		.default_text = "the process's",
		.sentence = "Owner of the socket's file.",
	},
};

const struct keyword_table keywords_stats = {rows, ARRAY_LENGTH(rows)};
