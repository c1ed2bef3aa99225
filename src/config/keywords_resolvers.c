/* The rows of 'resolvers' sections, and of server lines about names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/keyword.h"
#include "config/naming.h"
#include "config/values.h"

enum { DNS_PORT = 53, PAYLOAD_MIN = 512, PAYLOAD_MAX = 65535 };

static void nameserver_add(struct parser *parser, const char *name, const struct address *address)
{
	struct config_nameserver **end = &parser->resolvers->nameservers;
	struct config_nameserver *server = arena_alloc(parser->arena, sizeof(*server));

	while (*end != NULL)
		end = &(*end)->next;
	server->name = arena_copy(parser->arena, name);
	server->address = *address;
	*end = server;
}

static bool nameserver_is_known(const struct config_resolvers *resolvers, const char *name)
{
	for (const struct config_nameserver *at = resolvers->nameservers; at != NULL; at = at->next) {
		if (strcmp(at->name, name) == 0)
			return true;
	}
	return false;
}

static int parse_nameserver(struct parser *parser, const struct statement *statement)
{
	const char *reason = "it is not an IP address";
	struct address_spec spec;
	struct address address;

	if (statement->count < 2)
		return statement_refuse(parser, statement);
	if (nameserver_is_known(parser->resolvers, statement->words[0])) {
		report_alert(parser, "there is a nameserver '%s' already", statement->words[0]);
		return -EINVAL;
	}
	if (address_parse(statement->words[1], &spec, &reason) < 0 || spec.kind != ADDRESS_IP ||
		spec.is_port_relative || spec.port_first != spec.port_last ||
		!address_is_written_out(&spec)) {
		report_alert(
			parser, "'nameserver': the address '%s' is wrong: %s", statement->words[1], reason);
		return -EINVAL;
	}
	if (argument_resolve(
		    parser, "nameserver", &spec, spec.has_port ? spec.port_first : DNS_PORT, &address) < 0)
		return -EINVAL;
	nameserver_add(parser, statement->words[0], &address);
	return 2;
}

/* One line of resolv.conf; others than nameservers do not matter here. */
static void system_line_take(struct parser *parser, const char *line)
{
	struct address_spec spec;
	struct address address;
	char host[ADDRESS_HOST_MAX];

	if (sscanf(line, "nameserver %255s", host) != 1 || nameserver_is_known(parser->resolvers, host))
		return;
	memset(&spec, 0, sizeof(spec));
	spec.kind = ADDRESS_IP;
	snprintf(spec.host, sizeof(spec.host), "%s", host);
	if (!address_is_written_out(&spec) || address_resolve(&spec, DNS_PORT, &address) < 0) {
		report_warning(parser,
			"'parse-resolv-conf': the nameserver '%s' is no IP address and is left out", host);
		return;
	}
	nameserver_add(parser, host, &address);
}

static int parse_resolv_conf(struct parser *parser, const struct statement *statement)
{
	char line[512];
	FILE *file = fopen("/etc/resolv.conf", "re");

	(void)statement;
	if (file == NULL) {
		report_alert(
			parser, "'parse-resolv-conf': cannot read /etc/resolv.conf: %s", strerror(errno));
		return -EINVAL;
	}
	while (fgets(line, sizeof(line), file) != NULL)
		system_line_take(parser, line);
	(void)fclose(file);
	return 0;
}

static int parse_prefer(struct parser *parser, const struct statement *statement)
{
	struct config_server *server = statement->target;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	server->naming.is_ipv4_preferred = strcmp(statement->words[0], "ipv4") == 0;
	if (!server->naming.is_ipv4_preferred && strcmp(statement->words[0], "ipv6") != 0)
		return statement_refuse(parser, statement);
	return 1;
}

static const struct lookup init_words[] = {
	{"last", CONFIG_INIT_ADDR_LAST},
	{"libc", CONFIG_INIT_ADDR_LIBC},
	{"none", CONFIG_INIT_ADDR_NONE},
};

static bool init_word_read(struct config_naming *naming, const char *word, int *ret_value)
{
	struct address_spec spec = {.kind = ADDRESS_IP};

	if (lookup_value(init_words, ARRAY_LENGTH(init_words), word, ret_value))
		return true;
	snprintf(spec.host, sizeof(spec.host), "%s", word);
	*ret_value = CONFIG_INIT_ADDR_IP;
	return *word != '\0' && address_is_written_out(&spec) &&
		address_resolve(&spec, 0, &naming->init_address) == 0;
}

static int parse_init_addr(struct parser *parser, const struct statement *statement)
{
	struct config_naming *naming = &((struct config_server *)statement->target)->naming;
	char words[256], *rest = words, *word;
	unsigned count = 0;

	if (statement->count == 0 || strlen(statement->words[0]) >= sizeof(words))
		return statement_refuse(parser, statement);
	snprintf(words, sizeof(words), "%s", statement->words[0]);
	while ((word = strsep(&rest, ",")) != NULL) {
		int value;

		if (count == CONFIG_INIT_ADDRS_MAX || !init_word_read(naming, word, &value))
			return statement_refuse(parser, statement);
		naming->init_addrs[count++] = (enum config_init_addr)value;
	}
	naming->init_addrs[count] = CONFIG_INIT_ADDR_END;
	return 1;
}

#define HOLD(word, member, standard, text)                                                        \
	{                                                                                         \
		.name = "hold " word, .arguments = "<time>", .sections = IN_RESOLVERS,            \
		TIME_AT(struct config_resolvers, member), .max = VALUE_TIME_MS_MAX, .unit = "ms", \
		.default_text = standard, .sentence = text,                                       \
	}

static const struct keyword rows[] = {
	{
		.name = "accepted_payload_size",
		.arguments = "<bytes>",
		.sections = IN_RESOLVERS,
		COUNT_AT(struct config_resolvers, payload_bytes),
		.min = PAYLOAD_MIN,
		.max = PAYLOAD_MAX,
		.default_text = "512",
		.sentence =
			"Largest answer by UDP that name servers are told they may send; a longer one is fetched by TCP.",
	},
	HOLD("nx", hold_nx_ms, "30s",
		"Time a server keeps its address after the last valid answer while the name is said not to exist."),
	HOLD("obsolete", hold_obsolete_ms, "0",
		"Time a server keeps an address that valid answers no longer have."),
	HOLD("other", hold_other_ms, "30s",
		"As 'hold nx', while the name servers fail otherwise, or all of several fail."),
	HOLD("refused", hold_refused_ms, "30s",
		"As 'hold nx', while the only name server refuses to answer."),
	HOLD("timeout", hold_timeout_ms, "30s", "As 'hold nx', while no name server answers."),
	HOLD("valid", hold_valid_ms, "10s", "Time from a valid answer until the name is asked for again."),
	{
		.name = "nameserver",
		.arguments = "<name> <address>[:<port>]",
		.sections = IN_RESOLVERS,
		HANDLED_BY(parse_nameserver),
		.default_text = "port 53",
		.sentence =
			"A name server to ask, by UDP, and by TCP where an answer does not fit; they are asked in the order of the lines, the next one when one fails.",
	},
	{
		.name = "parse-resolv-conf",
		.sections = IN_RESOLVERS,
		HANDLED_BY(parse_resolv_conf),
		.sentence = "Adds the name servers of /etc/resolv.conf, each named by its address.",
	},
	{
		.name = "resolve_retries",
		.arguments = "<number>",
		.sections = IN_RESOLVERS,
		COUNT_AT(struct config_resolvers, tries),
		.min = 1,
		.max = 100,
		.default_text = "3",
		.sentence = "Times a question is sent to every name server before it counts as unanswered.",
	},
	{
		.name = "timeout resolve",
		.arguments = "<time>",
		.sections = IN_RESOLVERS,
		TIME_AT(struct config_resolvers, resolve_ms),
		.min = 1,
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "1s",
		.sentence = "Time until a name that had no valid answer is asked for again.",
	},
	{
		.name = "timeout retry",
		.arguments = "<time>",
		.sections = IN_RESOLVERS,
		TIME_AT(struct config_resolvers, retry_ms),
		.min = 1,
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "1s",
		.sentence =
			"Time a name server has to answer before the question goes to the next, or again to the first; it grows with each round.",
	},
	{
		.name = "init-addr",
		.arguments = "{last|libc|none|<ip>}[,...]",
		.sections = ON_SERVER,
		HANDLED_BY(parse_init_addr),
		.default_text = "last,libc",
		.sentence =
			"Where the first address of a server comes from whose address is a name: the first of these that has one. 'last' has none, for no state is kept across starts; 'libc' looks the name up as the system does; 'none' starts the server without, in maintenance until 'resolvers' find one. Where all fail the program does not start.",
	},
	{
		.name = "resolve-prefer",
		.arguments = "ipv4|ipv6",
		.sections = ON_SERVER,
		HANDLED_BY(parse_prefer),
		.default_text = "ipv6",
		.sentence = "Which addresses 'resolvers' take where a name has both kinds.",
	},
	{
		.name = "resolvers",
		.arguments = "<section>",
		.sections = ON_SERVER,
		TEXT_AT(struct config_server, naming.resolvers_name),
		.sentence =
			"Asks the name servers of this 'resolvers' section for the server's address again and again. New connections go to the new address, those there are stay. A server whose name has had no valid answer for longer than 'hold' allows is in maintenance, shown as MAINT (resolution). An address that is written out is never asked for.",
	},
};

const struct keyword_table keywords_resolvers = {rows, ARRAY_LENGTH(rows)};
