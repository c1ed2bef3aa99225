/* The rows of the global section that concern the process itself. */
#include <errno.h>

#include "config/argument.h"
#include "config/keyword.h"

static int parse_zero_warning(struct parser *parser, const struct statement *statement)
{
	(void)statement;
	parser->has_zero_warning = true;
	return 0;
}

static int parse_dumpable(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;

	(void)parser;
	global->is_dumpable = !statement->is_negated;
	return 0;
}

static const struct keyword rows[] = {
	{
		.name = "chroot",
		.arguments = "<directory>",
		.sections = IN_GLOBAL,
		TEXT_AT(struct config_global, chroot),
		.reload = RELOAD_RESTART,
		.sentence = "Root directory the process changes to before it serves. Needs to start as root.",
	},
	{
		.name = "daemon",
		.sections = IN_GLOBAL,
		FLAG_AT(struct config_global, is_daemon),
		.reload = RELOAD_RESTART,
		.sentence = "Goes to the background once everything is open, as with the flag -D.",
	},
	{
		.name = "description",
		.arguments = "<text>",
		.sections = IN_GLOBAL,
		SENTENCE_AT(struct config_global, description),
		.sentence = "Words for people, shown by 'show info'.",
	},
	{
		.name = "gid",
		.arguments = "<number>",
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_global, gid, int),
		.max = INT32_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "unchanged",
		.sentence = "Group the process takes after opening its sockets, by number.",
	},
	{
		.name = "grace",
		.arguments = "<time>",
		.sections = IN_GLOBAL,
		TIME_AT(struct config_global, grace_ms),
		.max = INT32_MAX,
		.unit = "ms",
		.default_text = "0",
		.sentence =
			"Time a soft stop keeps accepting connections, so that load balancers in front notice.",
	},
	{
		.name = "group",
		.arguments = "<name>",
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_group,
		.offset = MEMBER_OFFSET(struct config_global, gid, int),
		.reload = RELOAD_RESTART,
		.default_text = "unchanged",
		.sentence = "Group the process takes after opening its sockets.",
	},
	{
		.name = "hard-stop-after",
		.arguments = "<time>",
		.sections = IN_GLOBAL,
		TIME_AT(struct config_global, hard_stop_after_ms),
		.min = 1,
		.max = INT32_MAX,
		.unit = "ms",
		.default_text = "no limit",
		.sentence = "Ends what a soft stop has left open after this time.",
	},
	{
		.name = "hard-stop-spread",
		.arguments = "<time>",
		.sections = IN_GLOBAL,
		TIME_AT(struct config_global, hard_stop_spread_ms),
		.min = 1,
		.max = INT32_MAX,
		.unit = "ms",
		.default_text = "0",
		.sentence =
			"Last part of 'hard-stop-after', over which connections are ended little by little, the oldest first, so that not all clients come back at once.",
	},
	{
		.name = "master-worker",
		.sections = IN_GLOBAL,
		FLAG_AT(struct config_global, is_master),
		.reload = RELOAD_RESTART,
		.sentence =
			"Starts a master process that replaces its worker for a reload, as with the flag -W.",
	},
	{
		.name = "node",
		.arguments = "<name>",
		.sections = IN_GLOBAL,
		TEXT_AT(struct config_global, node),
		.default_text = "the machine's host name",
		.sentence = "Name of this instance, shown by 'show info'.",
	},
	{
		.name = "pidfile",
		.arguments = "<file>",
		.sections = IN_GLOBAL,
		TEXT_AT(struct config_global, pidfile),
		.reload = RELOAD_RESTART,
		.sentence = "File the process's number is written to, as with the flag -p.",
	},
	{
		.name = "quiet",
		.sections = IN_GLOBAL,
		FLAG_AT(struct config_global, is_quiet),
		.reload = RELOAD_RESTART,
		.sentence = "Prints nothing but errors at start, as with the flag -q.",
	},
	{
		.name = "set-dumpable",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_dumpable),
		.may_negate = true,
		.reload = RELOAD_RESTART,
		.sentence = "Lets the kernel write a core file although the process has changed its user.",
	},
	{
		.name = "uid",
		.arguments = "<number>",
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_id,
		.offset = MEMBER_OFFSET(struct config_global, uid, int),
		.max = INT32_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "unchanged",
		.sentence = "User the process becomes after opening its sockets, by number.",
	},
	{
		.name = "user",
		.arguments = "<name>",
		.sections = IN_GLOBAL,
		.type = KEYWORD_HANDLER,
		.parse = argument_parse_user,
		.offset = MEMBER_OFFSET(struct config_global, uid, int),
		.reload = RELOAD_RESTART,
		.default_text = "unchanged",
		.sentence = "User the process becomes after opening its sockets.",
	},
	{
		.name = "zero-warning",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_zero_warning),
		.sentence = "Refuses a configuration that gives a warning.",
	},
};

const struct keyword_table keywords_process = {rows, ARRAY_LENGTH(rows)};
