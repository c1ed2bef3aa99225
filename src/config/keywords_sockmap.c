/* The rows of the socket relay engine. */
#include "config/keyword.h"

enum { CONNECTIONS_MAX = 1000 * 1000 };

static const struct keyword rows[] = {
	{
		.name = "sockmap-connections",
		.arguments = "<connections>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, sockmap_connections),
		.min = 1,
		.max = CONNECTIONS_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "'maxconn', at most 32768",
		.sentence =
			"Connections that the sockmap engine may carry at a time, shared out among the threads; the others stay with copy and splice. Counts only where a 'relay sockmap' asks for the engine.",
	},
};

const struct keyword_table keywords_sockmap = {rows, ARRAY_LENGTH(rows)};
