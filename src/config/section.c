/* The lines that begin a section, and what a proxy takes over from its defaults. */
#include <ctype.h>
#include <string.h>

#include "base/lookup.h"
#include "config/keyword.h"
#include "config/naming.h"
#include "config/parser.h"

static const struct lookup section_names[] = {
	{"global", IN_GLOBAL},
	{"defaults", IN_DEFAULTS},
	{"frontend", IN_FRONTEND},
	{"backend", IN_BACKEND},
	{"listen", IN_LISTEN},
	{"resolvers", IN_RESOLVERS},
};

/* Sections of HAProxy's that this version refuses. */
static const struct {
	const char *name;
	bool is_http;
} refused_sections[] = {
	{"cache", true},
	{"crt-list", false},
	{"crt-store", false},
	{"fcgi-app", true},
	{"http-errors", true},
	{"log-forward", false},
	{"mailers", false},
	{"peers", false},
	{"program", false},
	{"ring", false},
	{"traces", false},
	{"userlist", false},
};

const char *section_name(enum section section)
{
	return lookup_name(section_names, ARRAY_LENGTH(section_names), (int)section);
}

char name_bad_character(const char *name)
{
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name) && strchr("_-.:", *name) == NULL)
			return *name;
	}
	return '\0';
}

enum {
	CHECK_INTER_MS = 2000,
	CHECK_RISE = 2,
	CHECK_FALL = 3,
	CHECK_ERRORS = 10,
	EJECT_MS = 30 * 1000,
	EJECT_MAX_MS = 5 * 60 * 1000,
	EJECTED_PERCENT = 50,
};

/* What every chain of defaults starts from. */
static struct draft *initial_defaults(struct parser *parser)
{
	struct draft *draft = parser->initial;

	if (draft != NULL)
		return draft;
	draft = arena_alloc(parser->arena, sizeof(*draft));
	draft->section = IN_DEFAULTS;
	draft->proxy.retries = 3;
	draft->proxy.random_draws = 2;
	draft->default_server.weight = 1;
	draft->default_server.check = (struct config_check){.inter_ms = CHECK_INTER_MS,
		.rise = CHECK_RISE,
		.fall = CHECK_FALL,
		.errors_max = CHECK_ERRORS};
	draft->default_server.check.eject_ms = EJECT_MS;
	draft->default_server.check.eject_max_ms = EJECT_MAX_MS;
	draft->default_server.agent.inter_ms = CHECK_INTER_MS;
	draft->proxy.check.ejected_percent_max = EJECTED_PERCENT;
	parser->initial = draft;
	return draft;
}

static struct config_log *logs_copy(struct parser *parser, const struct config_log *logs)
{
	struct config_log *first = NULL, **end = &first;

	for (; logs != NULL; logs = logs->next) {
		struct config_log *copy = arena_alloc(parser->arena, sizeof(*copy));

		*copy = *logs;
		copy->next = NULL;
		*end = copy;
		end = &copy->next;
	}
	return first;
}

/* A new section of this kind that begins with what `base` says. */
static struct draft *draft_create(struct parser *parser, enum section section, const struct draft *base)
{
	struct draft *draft = arena_alloc(parser->arena, sizeof(*draft));

	*draft = *base;
	draft->next = NULL;
	draft->section = section;
	draft->proxy.place = parser->place;
	draft->proxy.name = NULL;
	draft->proxy.roles = (section & IN_CLIENT_SIDE ? (unsigned)CONFIG_ROLE_FRONTEND : 0) |
		(section & IN_SERVER_SIDE ? (unsigned)CONFIG_ROLE_BACKEND : 0);
	draft->proxy.logs = logs_copy(parser, base->proxy.logs);
	draft->binds_end = &draft->proxy.binds;
	draft->servers_end = &draft->proxy.servers;
	draft->connection_rules_end = &draft->proxy.rules.connection;
	draft->session_rules_end = &draft->proxy.rules.session;
	draft->content_rules_end = &draft->proxy.rules.content;
	draft->use_backends_end = &draft->proxy.rules.use_backends;
	draft->use_servers_end = &draft->proxy.rules.use_servers;
	draft->book =
		(struct rule_book){.arena = parser->arena, .has_no_files = parser->options->has_no_lookups};
	draft->rules_end = draft->http_expects_end = NULL;
	draft->headers_end = NULL;
	return draft;
}

/* Finds the defaults section of this name; reports when there is none, or more
 * than one. */
static struct draft *defaults_find(struct parser *parser, const char *name)
{
	struct draft *found = NULL;

	for (struct draft *draft = parser->defaults; draft != NULL; draft = draft->next) {
		if (draft->proxy.name == NULL || strcmp(draft->proxy.name, name) != 0)
			continue;
		if (found != NULL) {
			report_alert(parser,
				"defaults section '%s' is ambiguous: it is at %s:%u and at %s:%u", name,
				draft->proxy.place.file, draft->proxy.place.line, found->proxy.place.file,
				found->proxy.place.line);
			return found;
		}
		found = draft;
	}
	if (found == NULL)
		report_alert(parser, "there is no defaults section '%s' above this line", name);
	return found;
}

static void refuse_section(struct parser *parser)
{
	parser->has_refused_section = true;
	parser->section = 0;
	parser->draft = NULL;
	parser->is_section_refused = true;
}

/* What stands after the section's word. */
struct heading {
	const char *name; /* NULL: none */
	const char *from; /* NULL: none */
};

/* Reads "[name] [from base]"; reports and returns false when it is something else. */
static bool heading_parse(
	struct parser *parser, const char *const *words, unsigned count, struct heading *ret_heading)
{
	unsigned at = 1;
	char bad;

	memset(ret_heading, 0, sizeof(*ret_heading));
	if (at < count && strcmp(words[at], "from") != 0)
		ret_heading->name = words[at++];
	if (at < count && strcmp(words[at], "from") == 0) {
		if (at + 1 == count) {
			report_alert(parser, "'from' needs the name of a defaults section");
			return false;
		}
		ret_heading->from = words[at + 1];
		at += 2;
	}
	if (at < count) {
		report_alert(parser, "'%s' has an argument too many: '%s'", words[0], words[at]);
		return false;
	}
	bad = ret_heading->name == NULL ? '\0' : name_bad_character(ret_heading->name);
	if (bad != '\0') {
		report_alert(parser,
			"character '%c' is not permitted in the name '%s': letters, digits, '-', '_', '.' and ':' are",
			bad, ret_heading->name);
		return false;
	}
	return true;
}

static void begin_defaults(struct parser *parser, const struct heading *heading)
{
	const struct draft *base = initial_defaults(parser);
	struct draft *draft;

	if (heading->from != NULL) {
		base = defaults_find(parser, heading->from);
		if (base == NULL)
			base = initial_defaults(parser);
	}
	draft = draft_create(parser, IN_DEFAULTS, base);
	if (heading->name != NULL)
		draft->proxy.name = arena_copy(parser->arena, heading->name);
	draft->next = parser->defaults;
	parser->defaults = draft;
	parser->draft = draft;
}

static void begin_proxy(struct parser *parser, enum section section, const struct heading *heading)
{
	const struct draft *base = parser->defaults;

	if (heading->from != NULL)
		base = defaults_find(parser, heading->from);
	if (base == NULL)
		base = initial_defaults(parser);
	parser->draft = draft_create(parser, section, base);
	parser->draft->proxy.name = arena_copy(parser->arena, heading->name);
	*parser->drafts_end = parser->draft;
	parser->drafts_end = &parser->draft->next;
}

static void begin_known(struct parser *parser, enum section section, const char *const *words, unsigned count)
{
	struct heading heading = {0};

	parser->draft = NULL;
	if (section == IN_GLOBAL && count > 1)
		report_alert(parser, "'global' has an argument too many: '%s'", words[1]);
	if (section != IN_GLOBAL && !heading_parse(parser, words, count, &heading)) {
		refuse_section(parser);
		return;
	}
	if ((section & (IN_PROXIES | IN_RESOLVERS)) != 0 && (heading.name == NULL || *heading.name == '\0')) {
		report_alert(parser, "'%s' needs a name", words[0]);
		refuse_section(parser);
		return;
	}
	if (section == IN_RESOLVERS && heading.from != NULL)
		report_alert(parser, "'resolvers' takes nothing from a defaults section");
	if (section == IN_DEFAULTS)
		begin_defaults(parser, &heading);
	else if ((section & IN_PROXIES) != 0)
		begin_proxy(parser, section, &heading);
	else if (section == IN_RESOLVERS)
		resolvers_begin(parser, heading.name);
	parser->section = section;
	parser->is_section_refused = false;
	parser->section_label = arena_copy(parser->arena, heading.name != NULL ? heading.name : words[0]);
}

bool section_begin(struct parser *parser, const char *const *words, unsigned count)
{
	int section;

	if (lookup_value(section_names, ARRAY_LENGTH(section_names), words[0], &section)) {
		begin_known(parser, (enum section)section, words, count);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(refused_sections); i++) {
		if (strcmp(refused_sections[i].name, words[0]) != 0)
			continue;
		if (refused_sections[i].is_http)
			report_alert(parser,
				"section '%s' is for HTTP, which spliced does not carry (mode tcp only)",
				words[0]);
		else
			report_alert(parser, "section '%s' is not supported in this version", words[0]);
		refuse_section(parser);
		return true;
	}
	return false;
}
