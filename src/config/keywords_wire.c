/* The rows of the packet splicing engine. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "config/keyword.h"
#include "config/values.h"

enum { INTERFACES_MAX = 64, CONNECTIONS_MAX = 1000 * 1000 };

/* Every word to the end of the line is an interface; a second line adds to the first. */
static int parse_interfaces(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	const char **names = arena_alloc(parser->arena, (INTERFACES_MAX + 1) * sizeof(*names));
	unsigned count = 0;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	global->has_wire_interfaces = true;
	for (; global->wire_interfaces != NULL && global->wire_interfaces[count] != NULL; count++)
		names[count] = global->wire_interfaces[count];
	for (unsigned i = 0; i < statement->count; i++) {
		const char *word = statement->words[i];
		if (statement->count == 1 && strcmp(word, "all") == 0) {
			global->wire_interfaces = NULL;
			return 1;
		}
		if (strlen(word) >= IF_NAMESIZE || count == INTERFACES_MAX) {
			report_alert(parser,
				"'wire-interfaces' expects up to %d names of interfaces, not '%s'",
				INTERFACES_MAX, word);
			return -EINVAL;
		}
		names[count++] = arena_copy(parser->arena, word);
	}
	global->wire_interfaces = names;
	return (int)statement->count;
}

static const struct keyword rows[] = {
	{
		.name = "wire-connections",
		.arguments = "<connections>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, wire_connections),
		.min = 1,
		.max = CONNECTIONS_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "'maxconn' and half as many that linger, at most 32768",
		.sentence =
			"Connections that the wire engine may carry at a time, those that linger after their end included; the others stay with the next engine. Each takes 416 bytes of kernel memory from the start.",
	},
	{
		.name = "wire-peer",
		.sections = IN_GLOBAL,
		FLAG_AT(struct config_global, has_wire_peer),
		.reload = RELOAD_RESTART,
		.default_text = "off",
		.sentence =
			"Lets packets that the wire engine sends to a container by a veth pair enter its other end at once, past the queues in between. Only where the container's end is not in a bridge.",
	},
	{
		.name = "wire-interfaces",
		.arguments = "all or <interface> ...",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_interfaces),
		.reload = RELOAD_RESTART,
		.default_text = "none; with a 'relay wire' all",
		.sentence =
			"Lets the wire engine attach its programs to these Ethernet interfaces, and 'relay auto' use it. Needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Both the clients' and the servers' packets must come and go by such interfaces.",
	},
};

const struct keyword_table keywords_wire = {rows, ARRAY_LENGTH(rows)};
