/* 'balance', and what else decides which backend and server a connection gets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/keyword.h"
#include "config/server_line.h"
#include "config/values.h"

static const struct lookup algorithms[] = {
	{"roundrobin", CONFIG_BALANCE_ROUNDROBIN},
	{"leastconn", CONFIG_BALANCE_LEASTCONN},
	{"first", CONFIG_BALANCE_FIRST},
	{"source", CONFIG_BALANCE_SOURCE},
	{"random", CONFIG_BALANCE_RANDOM},
};
static const char *const algorithm_names[] = {"roundrobin", "leastconn", "first", "source", "random", NULL};

enum { DRAWS_MAX = 16 };

/* "random(3)"; true when it is that. */
static bool parse_random(struct parser *parser, const char *word, struct config_proxy *proxy, int *ret_result)
{
	char *end;
	unsigned long draws;

	if (strncmp(word, "random(", 7) != 0)
		return false;
	draws = strtoul(word + 7, &end, 10);
	if (end == word + 7 || word[7] == '-' || strcmp(end, ")") != 0 || draws < 1 || draws > DRAWS_MAX) {
		report_alert(parser, "'balance random(n)' expects a number from 1 to %d, not '%s'", DRAWS_MAX,
			word);
		*ret_result = -EINVAL;
		return true;
	}
	proxy->balance = CONFIG_BALANCE_RANDOM;
	proxy->random_draws = (unsigned)draws;
	*ret_result = 1;
	return true;
}

static int refuse_algorithm(struct parser *parser, const struct statement *statement, const char *word)
{
	static const char *const http[] = {"uri", "url_param", "hdr"};
	static const char *const yet[] = {"static-rr", "hash", "rdp-cookie"};
	size_t len = strcspn(word, "(");

	for (size_t i = 0; i < ARRAY_LENGTH(http); i++) {
		if (strncmp(word, http[i], len) == 0 && http[i][len] == '\0') {
			report_alert(parser,
				"'balance %s' is for HTTP, which spliced does not carry (mode tcp only)",
				http[i]);
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(yet); i++) {
		if (strncmp(word, yet[i], len) == 0 && yet[i][len] == '\0') {
			report_alert(parser, "'balance %s' is not supported in this version", yet[i]);
			return -EINVAL;
		}
	}
	return statement_refuse_word(parser, statement, word, name_nearest(algorithm_names, word));
}

static int parse_balance(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;
	int value, result;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	if (parse_random(parser, statement->words[0], proxy, &result))
		return result;
	if (!lookup_value(algorithms, ARRAY_LENGTH(algorithms), statement->words[0], &value))
		return refuse_algorithm(parser, statement, statement->words[0]);
	proxy->balance = (enum config_balance)value;
	proxy->random_draws = 2;
	return 1;
}

static int parse_source(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;

	return argument_source(parser, statement, &proxy->source);
}

static int parse_use_backend(struct parser *parser, const struct statement *statement)
{
	struct config_use_backend *use;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	if (statement->count > 1 &&
		(strcmp(statement->words[1], "if") == 0 || strcmp(statement->words[1], "unless") == 0)) {
		report_alert(parser, "'use_backend' with '%s': conditions are not supported in this version",
			statement->words[1]);
		return -EINVAL;
	}
	if (strchr(statement->words[0], '%') != NULL) {
		report_alert(parser, "'use_backend %s': computed names are not supported in this version",
			statement->words[0]);
		return -EINVAL;
	}
	use = arena_alloc(parser->arena, sizeof(*use));
	use->name = arena_copy(parser->arena, statement->words[0]);
	use->place = parser->place;
	*parser->draft->use_backends_end = use;
	parser->draft->use_backends_end = &use->next;
	return 1;
}

static const struct keyword rows[] = {
	{
		.name = "balance",
		.arguments = "roundrobin, leastconn, first, source or random[(<draws>)]",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		HANDLED_BY(parse_balance),
		.default_text = "roundrobin; random alone makes 2 draws",
		.sentence =
			"How a server is chosen: each in turn, the one with the fewest connections, the first that has room, by the client's address, or the least loaded of a few drawn by lot. Weights count in all but first.",
	},
	{
		.name = "default-server",
		.arguments = "<parameter> ...",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		HANDLED_BY(server_line_parse_default),
		.is_required_here = true,
		.sentence = "Parameters of all 'server' lines below.",
	},
	{
		.name = "default_backend",
		.arguments = "<backend>",
		.sections = IN_DEFAULTS | IN_CLIENT_SIDE,
		TEXT_AT(struct config_proxy, default_backend_name),
		.default_text = "of a listen section itself",
		.sentence = "Backend of connections that no 'use_backend' has sent elsewhere.",
	},
	{
		.name = "fullconn",
		.arguments = "<connections>",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		COUNT_AT(struct config_proxy, fullconn),
		.max = INT32_MAX,
		.default_text = "a tenth of the 'maxconn' of all frontends that lead here",
		.sentence =
			"Connections of the backend at which its servers' limits reach 'maxconn' from 'minconn'.",
	},
	{
		.name = "retries",
		.arguments = "<number>",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		COUNT_AT(struct config_proxy, retries),
		.max = 1000,
		.default_text = "3",
		.sentence = "Further attempts after a connection to a server has failed.",
	},
	{
		.name = "server",
		.arguments = "<name> <address>[:<port>] [<parameter> ...]",
		.sections = IN_SERVER_SIDE,
		HANDLED_BY(server_line_parse),
		.is_required_here = true,
		.sentence =
			"One server. Without a port, or with +N or -N in its place, the port the client has connected to is used, plus or minus N. Host names are looked up once, at start.",
	},
	{
		.name = "source",
		.arguments = "<address>[:<port>[-<port>]] [interface <name>]",
		.sections = IN_DEFAULTS | IN_SERVER_SIDE,
		HANDLED_BY(parse_source),
		.default_text = "the kernel chooses",
		.sentence =
			"Address, and ports if given, from which all servers without their own 'source' are connected to.",
	},
	{
		.name = "use_backend",
		.arguments = "<backend>",
		.sections = IN_CLIENT_SIDE,
		HANDLED_BY(parse_use_backend),
		.sentence =
			"Backend for all connections: the first line counts. Conditions (if, unless) are not supported in this version.",
	},
};

const struct keyword_table keywords_balance = {rows, ARRAY_LENGTH(rows)};
