/* Acls and the rules that decide by them. */
#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "config/rule_words.h"
#include "config/values.h"

/* --- which backend, which server --- */

static int parse_use_backend(struct parser *parser, const struct statement *statement)
{
	struct config_use_backend *use;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	use = arena_alloc(parser->arena, sizeof(*use));
	use->name = arena_copy(parser->arena, statement->words[0]);
	use->place = parser->place;
	if (rule_words_name(parser, statement, use->name, &use->parts) < 0 ||
		rule_words_condition(parser, statement, 1, &use->condition) < 0)
		return -EINVAL;
	*parser->draft->use_backends_end = use;
	parser->draft->use_backends_end = &use->next;
	return (int)statement->count;
}

static int parse_use_server(struct parser *parser, const struct statement *statement)
{
	struct config_use_server *use;

	if (statement->count < 2 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	use = arena_alloc(parser->arena, sizeof(*use));
	use->name = arena_copy(parser->arena, statement->words[0]);
	use->place = parser->place;
	if (rule_words_condition(parser, statement, 1, &use->condition) < 0)
		return -EINVAL;
	*parser->draft->use_servers_end = use;
	parser->draft->use_servers_end = &use->next;
	return (int)statement->count;
}

/* --- tcp-request --- */

static const struct lookup actions[] = {
	{"accept", CONFIG_RULE_ACCEPT},
	{"reject", CONFIG_RULE_REJECT},
	{"expect-proxy", CONFIG_RULE_EXPECT_PROXY},
};
static const char *const action_names[] = {"accept", "reject", NULL};
static const char *const connection_names[] = {"accept", "reject", "expect-proxy", NULL};

/* HAProxy's that this version does not have; a name that ends in '-' begins all of its kind. */
static const char *const actions_yet[] = {"capture", "do-resolve", "lua.", "sc-", "send-spoe-group", "set-",
	"silent-drop", "switch-mode", "track-sc", "unset-var", "use-service"};

static int refuse_action(struct parser *parser, const struct statement *statement, const char *const *names)
{
	const char *word = statement->words[0];

	for (size_t i = 0; i < ARRAY_LENGTH(actions_yet); i++) {
		if (strncmp(word, actions_yet[i], strlen(actions_yet[i])) == 0) {
			report_alert(parser, "'%s %s' is not supported in this version",
				statement->keyword->name, word);
			return -EINVAL;
		}
	}
	return statement_refuse_word(parser, statement, word, name_nearest(names, word));
}

static int rule_add(
	struct parser *parser, const struct statement *statement, struct config_rule ***end, unsigned taken)
{
	struct config_rule *rule = arena_alloc(parser->arena, sizeof(*rule));
	int action = CONFIG_RULE_ACCEPT;

	lookup_value(actions, ARRAY_LENGTH(actions), statement->words[0], &action);
	rule->action = (enum config_rule_action)action;
	rule->place = parser->place;
	if (rule_words_condition(parser, statement, taken, &rule->condition) < 0)
		return -EINVAL;
	**end = rule;
	*end = &rule->next;
	return (int)statement->count;
}

static bool is_among(const char *const *names, const char *word)
{
	while (*names != NULL && strcmp(*names, word) != 0)
		names++;
	return *names != NULL;
}

static int parse_connection(struct parser *parser, const struct statement *statement)
{
	unsigned taken = 1;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (!is_among(connection_names, statement->words[0]))
		return refuse_action(parser, statement, connection_names);
	if (strcmp(statement->words[0], "expect-proxy") == 0) {
		if (statement->count < 2 || strcmp(statement->words[1], "layer4") != 0) {
			report_alert(parser, "'%s expect-proxy' needs 'layer4' after it",
				statement->keyword->name);
			return -EINVAL;
		}
		taken = 2;
		/* Whoever may connect could otherwise say whose the connection is. */
		if (statement->count == 2) {
			report_alert(parser,
				"'%s expect-proxy layer4' needs a condition that says whom to trust, as 'if { src 10.0.0.0/8 }'",
				statement->keyword->name);
			return -EINVAL;
		}
	}
	return rule_add(parser, statement, &parser->draft->connection_rules_end, taken);
}

static int parse_session(struct parser *parser, const struct statement *statement)
{
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (!is_among(action_names, statement->words[0]))
		return refuse_action(parser, statement, action_names);
	return rule_add(parser, statement, &parser->draft->session_rules_end, 1);
}

static int parse_content(struct parser *parser, const struct statement *statement)
{
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (!is_among(action_names, statement->words[0]))
		return refuse_action(parser, statement, action_names);
	return rule_add(parser, statement, &parser->draft->content_rules_end, 1);
}

static const struct keyword rows[] = {
	{
		.name = "acl",
		.arguments = "<name> <sample> [<flag> ...] [<value> ...]",
		.sections = IN_PROXIES,
		HANDLED_BY(rule_words_parse_acl),
		.sentence =
			"Gives a question about a connection a name, which conditions below it may use; see ACLS AND CONDITIONS. Of several lines of one name any is enough.",
	},
	{
		.name = "tcp-request connection",
		.arguments = "accept, reject or expect-proxy layer4, [if|unless <condition>]",
		.sections = IN_CLIENT_SIDE,
		HANDLED_BY(parse_connection),
		.sentence =
			"What becomes of a connection as soon as it is accepted, by who has connected and to where: accept ends these rules, reject resets it, without a line in the log. expect-proxy layer4 takes a PROXY header from it, as 'accept-proxy' does from all, and needs a condition. The first rule whose condition holds decides; without one it goes on.",
	},
	{
		.name = "tcp-request content",
		.arguments = "accept or reject, [if|unless <condition>]",
		.sections = IN_PROXIES,
		HANDLED_BY(parse_content),
		.sentence =
			"What becomes of a connection by what the client has sent first: accept ends these rules, reject closes it. The first rule whose condition holds decides; a condition that more bytes may change waits for them as long as 'tcp-request inspect-delay' allows. The rules of a backend follow those of the frontend.",
	},
	{
		.name = "tcp-request inspect-delay",
		.arguments = "<time>",
		.sections = IN_DEFAULTS | IN_PROXIES,
		TIME_AT(struct config_proxy, rules.inspect_delay_ms),
		.max = VALUE_TIME_MS_MAX,
		.default_text = "0, conditions are judged by what is there",
		.sentence =
			"How long rules may wait for the client's first bytes: 'tcp-request content', and other than in HAProxy also 'use_backend', 'use-server' and 'balance hash'. Only rules that look at bytes wait, and only until what is there decides. When the time is over, when the client has ended its side or has sent more than is looked at (66 KiB), what is not known does not hold.",
	},
	{
		.name = "tcp-request session",
		.arguments = "accept or reject, [if|unless <condition>]",
		.sections = IN_CLIENT_SIDE,
		HANDLED_BY(parse_session),
		.sentence =
			"As 'tcp-request connection', once the client is known: behind 'accept-proxy' by the addresses of the PROXY header.",
	},
	{
		.name = "use-server",
		.arguments = "<server> if|unless <condition>",
		.sections = IN_SERVER_SIDE,
		HANDLED_BY(parse_use_server),
		.sentence =
			"The server for connections for which the condition holds, whatever 'balance' says. A server that takes no connections is passed over for the rules that follow, and then for balancing. When it is full, the connection waits for it.",
	},
	{
		.name = "use_backend",
		.arguments = "<backend> [if|unless <condition>]",
		.sections = IN_CLIENT_SIDE,
		HANDLED_BY(parse_use_backend),
		.sentence =
			"The backend for connections for which the condition holds; without condition, for all. The first line that holds counts, and 'default_backend' when none does. The name may have expressions in it, as in tls_%[req.ssl_sni,lower]: if there is no backend of the name that comes of it, the default one serves.",
	},
};

const struct keyword_table keywords_rule = {rows, ARRAY_LENGTH(rows)};
