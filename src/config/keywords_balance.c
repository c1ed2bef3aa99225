/* 'balance', and what else decides which backend and server a connection gets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/keyword.h"
#include "config/rule_words.h"
#include "config/server_line.h"
#include "config/values.h"

static const struct lookup algorithms[] = {
	{"roundrobin", CONFIG_BALANCE_ROUNDROBIN},
	{"static-rr", CONFIG_BALANCE_STATIC_RR},
	{"leastconn", CONFIG_BALANCE_LEASTCONN},
	{"first", CONFIG_BALANCE_FIRST},
	{"source", CONFIG_BALANCE_SOURCE},
	{"hash", CONFIG_BALANCE_HASH},
	{"random", CONFIG_BALANCE_RANDOM},
};
static const char *const algorithm_names[] = {
	"roundrobin", "static-rr", "leastconn", "first", "source", "hash", "random", NULL};

static const struct lookup hash_keys[] = {
	{"src", CONFIG_HASH_SRC},
	{"src_port", CONFIG_HASH_SRC_PORT},
	{"dst", CONFIG_HASH_DST},
	{"dst_port", CONFIG_HASH_DST_PORT},
};

static const struct lookup hash_types[] = {
	{"map-based", CONFIG_HASH_MAP_BASED},
	{"consistent", CONFIG_HASH_CONSISTENT},
	{"maglev", CONFIG_HASH_MAGLEV},
};
static const char *const hash_type_names[] = {"map-based", "consistent", "maglev", NULL};

static const struct lookup hash_functions[] = {
	{"sdbm", CONFIG_HASH_SDBM},
	{"djb2", CONFIG_HASH_DJB2},
	{"wt6", CONFIG_HASH_WT6},
	{"crc32", CONFIG_HASH_CRC32},
};
static const char *const hash_function_names[] = {"sdbm", "djb2", "wt6", "crc32", NULL};

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
	static const char *const yet[] = {"rdp-cookie"};
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

static int parse_hash_expression(
	struct parser *parser, const struct statement *statement, struct config_hash *hash)
{
	struct rule_expression *expression;

	if (rule_words_expression(parser, statement->keyword->name, statement->words[1], &expression) < 0)
		return -EINVAL;
	hash->expression = expression;
	return 2;
}

/* The expression of 'balance hash'. */
static int parse_hash_key(struct parser *parser, const struct statement *statement, struct config_hash *hash)
{
	int value;

	if (statement->count < 2 || statement->words[1][0] == '\0') {
		report_alert(
			parser, "'balance hash' expects what to hash, as src, dst_port or req.ssl_sni,lower");
		return -EINVAL;
	}
	hash->expression = NULL;
	if (!lookup_value(hash_keys, ARRAY_LENGTH(hash_keys), statement->words[1], &value))
		return parse_hash_expression(parser, statement, hash);
	hash->key = (enum config_hash_key)value;
	return 2;
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
	return proxy->balance == CONFIG_BALANCE_HASH ? parse_hash_key(parser, statement, &proxy->hash) : 1;
}

/* A word of 'hash-type' from one of its tables. */
static int hash_word(struct parser *parser, const struct statement *statement, unsigned at,
	const struct lookup *table, const char *const *names)
{
	size_t rows = 0;
	int value;

	while (names[rows] != NULL)
		rows++;
	if (!lookup_value(table, rows, statement->words[at], &value))
		return statement_refuse_word(
			parser, statement, statement->words[at], name_nearest(names, statement->words[at]));
	return value;
}

/* As in HAProxy a method alone means sdbm, stirred unless it is map-based. */
static int parse_hash_type(struct parser *parser, const struct statement *statement)
{
	struct config_hash *hash = &((struct config_proxy *)statement->target)->hash;
	int type, function = CONFIG_HASH_SDBM;
	bool has_avalanche = false;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	type = hash_word(parser, statement, 0, hash_types, hash_type_names);
	if (type < 0)
		return -EINVAL;
	if (statement->count > 1)
		function = hash_word(parser, statement, 1, hash_functions, hash_function_names);
	else
		has_avalanche = type != CONFIG_HASH_MAP_BASED;
	if (function < 0)
		return -EINVAL;
	if (statement->count > 2) {
		static const char *const modifiers[] = {"avalanche", NULL};
		if (strcmp(statement->words[2], modifiers[0]) != 0)
			return statement_refuse_word(parser, statement, statement->words[2],
				name_nearest(modifiers, statement->words[2]));
		has_avalanche = true;
	}
	hash->type = (enum config_hash_type)type;
	hash->function = (enum config_hash_function)function;
	hash->has_avalanche = has_avalanche;
	return statement->count > 3 ? 3 : (int)statement->count;
}

static int parse_balance_factor(struct parser *parser, const struct statement *statement)
{
	struct config_hash *hash = &((struct config_proxy *)statement->target)->hash;
	uint64_t factor;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (argument_count(parser, statement, 0, &factor) < 0)
		return -EINVAL;
	if (factor > 0 && factor < 100) {
		report_alert(parser, "'hash-balance-factor' must be 0 or at least 100 percent");
		return -EINVAL;
	}
	hash->balance_factor = (unsigned)factor;
	return 1;
}

static int parse_source(struct parser *parser, const struct statement *statement)
{
	struct config_proxy *proxy = statement->target;

	return argument_source(parser, statement, &proxy->source);
}

static const struct
	keyword
		rows
			[] =
				{
					{
						.name = "balance",
						.arguments =
							"roundrobin, static-rr, leastconn, first, source, hash <expression> or random[(<draws>)]",
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						HANDLED_BY(parse_balance),
						.default_text = "roundrobin; random alone makes 2 draws",
						.sentence =
							"How a server is chosen: each in turn (static-rr from a table made once, which follows no change of weights), the one with the fewest connections for its weight, the first that has room in the order of their numbers, by a hash of the client's address or of what the expression says (see SAMPLES), or the least loaded of a few drawn by lot. Weights count in all but first. With source and hash a connection whose server is full waits for that server; with the others it waits for whichever has room first.",
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
						.sentence =
							"Backend of connections that no 'use_backend' has sent elsewhere.",
					},
					{
						.name = "fullconn",
						.arguments = "<connections>",
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						COUNT_AT(struct config_proxy, fullconn),
						.max = INT32_MAX,
						.default_text =
							"a tenth of the 'maxconn' of all frontends that lead here",
						.sentence =
							"Connections of the backend at which its servers' limits reach 'maxconn' from 'minconn'; below it a limit is 'maxconn' times the backend's connections divided by this, at least 'minconn'.",
					},
					{
						.name = "hash-balance-factor",
						.arguments = "<percentage>",
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						.type = KEYWORD_HANDLER,
						.parse = parse_balance_factor,
						.max = 65535,
						.unit = "percent of the average load",
						.default_text = "0, no bound",
						.sentence =
							"Bounds the connections of each server to this share of the average, by weight: a server above it is passed over for the next one by the hash. For 'hash-type consistent' and 'maglev', and for 'balance random'; 125 to 200 are usual.",
					},
					{
						.name = "hash-type",
						.arguments = "<method> [<function> [avalanche]]",
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						HANDLED_BY(parse_hash_type),
						.default_text =
							"map-based sdbm; a method alone: sdbm, for consistent and maglev with avalanche",
						.sentence =
							"How 'balance source' and 'hash' find the server: map-based, an even table in which most clients move when a server comes or goes and weights stay as configured; consistent, a ring in which only the clients of that server move, with shares less even; maglev, a table of 65537 places with both virtues, the same on every machine that has servers of the same names and weights in whatever order. Functions: sdbm, djb2, wt6, crc32; as in HAProxy source uses none. The avalanche spreads what the function leaves close together.",
					},
					{
						.name = "retries",
						.arguments = "<number>",
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						COUNT_AT(struct config_proxy, retries),
						.max = 1000,
						.default_text = "3",
						.sentence =
							"Further attempts after a connection to a server has failed.",
					},
					{
						.name = "server",
						.arguments = "<name> <address>[:<port>] [<parameter> ...]",
						.sections = IN_SERVER_SIDE,
						HANDLED_BY(server_line_parse),
						.is_required_here = true,
						.sentence =
							"One server. Without a port, or with +N or -N in its place, the port the client has connected to is used, plus or minus N. Host names are looked up once, at start, or again and again with 'resolvers'.",
					},
					{
						.name = "source",
						.arguments = ARGUMENT_SOURCE,
						.sections = IN_DEFAULTS | IN_SERVER_SIDE,
						HANDLED_BY(parse_source),
						.default_text = "the kernel chooses",
						.sentence =
							"Address, and ports if given, from which all servers without their own 'source' are connected to. Of the ports the kernel takes one that is free for the server; where there is none, one whose last connection to the server has ended, which would rest for a minute otherwise, is used again, provided both sides have TCP time stamps. 'usesrc' shows the server another address, which need not be this host's: the client's with its port ('client') or with another ('clientip'), or the given one; health checks still use the first address. The server's answers must then be routed to this host and taken in by it, and the capability CAP_NET_ADMIN or CAP_NET_RAW is needed. A client without an address of the server's family is not shown.",
					},
};

const struct keyword_table keywords_balance = {rows, ARRAY_LENGTH(rows)};
