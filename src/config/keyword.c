/* From words to rows: finding the row of a line or parameter, running it, and
 * saying what is wrong when there is none. */
#include "config/keyword.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/lookup.h"
#include "base/text.h"
#include "config/values.h"

enum { NAME_BYTES_MAX = 128 };

const struct keyword_table *const keyword_tables[] = {&keywords_process, &keywords_threads, &keywords_tuning,
	&keywords_wire, &keywords_sockmap, &keywords_stats, &keywords_environment, &keywords_log,
	&keywords_proxy, &keywords_balance, &keywords_rule, &keywords_timeout, &keywords_option,
	&keywords_check, &keywords_bind, &keywords_server, &keywords_server_check, &keywords_resolvers, NULL};

/* Walks all rows; *table_at and *row_at start at 0.  NULL at the end. */
static const struct keyword *row_next(size_t *table_at, size_t *row_at)
{
	for (; keyword_tables[*table_at] != NULL; (*table_at)++, *row_at = 0) {
		if (*row_at < keyword_tables[*table_at]->count)
			return &keyword_tables[*table_at]->rows[(*row_at)++];
	}
	return NULL;
}

/* How many words of the line the row's name is; 0 when it is another name. */
static unsigned name_match(const char *name, const char *const *words, unsigned count)
{
	size_t len = strlen(words[0]);

	if (strncmp(name, words[0], len) != 0)
		return 0;
	if (name[len] == '\0')
		return 1;
	return name[len] == ' ' && count > 1 && strcmp(name + len + 1, words[1]) == 0 ? 2 : 0;
}

/* The row for these words: one of the given sections if there is one, else any
 * row of another section.  *ret_taken is the words of its name. */
static const struct keyword *row_find(
	unsigned sections, const char *const *words, unsigned count, unsigned *ret_taken)
{
	const struct keyword *row, *elsewhere = NULL;
	size_t table_at = 0, row_at = 0;
	unsigned elsewhere_taken = 0;

	while ((row = row_next(&table_at, &row_at)) != NULL) {
		unsigned taken = name_match(row->name, words, count);

		if (taken == 0)
			continue;
		if ((row->sections & sections) != 0) {
			*ret_taken = taken;
			return row;
		}
		if (elsewhere == NULL || (row->sections & IN_PROXIES) != 0) {
			elsewhere = row;
			elsewhere_taken = taken;
		}
	}
	*ret_taken = elsewhere_taken;
	return elsewhere;
}

/* True when some row of the section begins with this word and a blank. */
static bool is_first_of_two(unsigned section, const char *word)
{
	const struct keyword *row;
	size_t table_at = 0, row_at = 0, len = strlen(word);

	while ((row = row_next(&table_at, &row_at)) != NULL) {
		if ((row->sections & section) != 0 && strncmp(row->name, word, len) == 0 &&
			row->name[len] == ' ')
			return true;
	}
	return false;
}

/* Of names of two words, the first is what is mistyped on its own. */
static const char *const first_words[] = {
	"log", "metrics", "option", "rate-limit", "stats", "tcp-request", "timeout"};

const char *keyword_nearest(unsigned section, const char *word)
{
	struct lookup_nearest nearest = lookup_nearest_begin(word);
	const struct keyword *row;
	size_t table_at = 0, row_at = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(first_words); i++) {
		if (is_first_of_two(section, first_words[i]))
			lookup_nearest_try(&nearest, first_words[i]);
	}

	while ((row = row_next(&table_at, &row_at)) != NULL) {
		if ((row->sections & section) != 0)
			lookup_nearest_try(&nearest, row->name);
	}
	return nearest.name;
}

const char *name_nearest(const char *const *names, const char *word)
{
	struct lookup_nearest nearest = lookup_nearest_begin(word);

	for (; *names != NULL; names++)
		lookup_nearest_try(&nearest, *names);
	return nearest.name;
}

static const char *line_name(enum section section)
{
	if (section == ON_BIND)
		return "on a 'bind' line";
	if (section == ON_SERVER)
		return "on a 'server' line";
	if (section == ON_STATS_SOCKET)
		return "on a 'stats socket' line";
	return NULL;
}

static void report_unknown(struct parser *parser, enum section section, const char *word)
{
	const char *nearest = keyword_nearest(section, word), *line = line_name(section);
	char where[64];

	if (line != NULL)
		snprintf(where, sizeof(where), "%s", line);
	else
		snprintf(where, sizeof(where), "in section '%s'", section_name(section));
	if (nearest != NULL)
		report_alert(parser, "'%s' unknown %s, did you mean '%s'?", word, where, nearest);
	else
		report_alert(parser, "'%s' unknown %s", word, where);
}

/* No row has these words: says so in the most helpful way. */
static void report_no_row(
	struct parser *parser, enum section section, const char *const *words, unsigned count)
{
	char joined[NAME_BYTES_MAX];

	if (is_first_of_two(section, words[0]) || (count > 1 && strcmp(words[0], "stats") == 0)) {
		if (count < 2) {
			report_alert(parser, "'%s' needs to be followed by what it sets", words[0]);
			return;
		}
		snprintf(joined, sizeof(joined), "%.40s %.80s", words[0], words[1]);
	} else {
		snprintf(joined, sizeof(joined), "%.120s", words[0]);
	}
	if (refused_report(parser, section, joined) || refused_report(parser, section, words[0]))
		return;
	report_unknown(parser, section, joined);
}

/* Writes "defaults, frontend and listen" for a set of sections. */
static void sections_print(unsigned sections, char *ret_text, size_t size)
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (unsigned section = IN_GLOBAL; section <= IN_RESOLVERS; section <<= 1) {
		unsigned later = sections & (2 * (unsigned)IN_RESOLVERS - 1) & ~(2 * section - 1);

		if ((sections & section) == 0 || len >= size)
			continue;
		len += (size_t)snprintf(ret_text + len, size - len, "'%s'%s", section_name(section),
			later == 0                           ? ""
				: (later & (later - 1)) == 0 ? " and "
							     : ", ");
	}
}

/* The row exists, but not for this section.  Returns true when the line must not
 * be run; a keyword of the other side of a proxy is only warned about, as HAProxy
 * does, and is not run either. */
static bool is_misplaced(struct parser *parser, const struct keyword *row)
{
	char allowed[96];
	enum section section = parser->section;

	if ((row->sections & section) != 0)
		return false;
	if ((section == IN_FRONTEND || section == IN_BACKEND) && (row->sections & IN_LISTEN) != 0 &&
		!row->is_required_here) {
		report_warning(parser, "'%s' ignored: %s '%s' has no %s side", row->name,
			section_name(section), parser->draft->proxy.name,
			section == IN_FRONTEND ? "server" : "client");
		return true;
	}
	sections_print(row->sections, allowed, sizeof(allowed));
	report_alert(parser, "'%s' is not allowed in section '%s', only in %s", row->name,
		section_name(section), allowed);
	return true;
}

static void *section_target(struct parser *parser)
{
	if (parser->section == IN_RESOLVERS)
		return parser->resolvers;
	return parser->section == IN_GLOBAL ? (void *)&parser->config->global : &parser->draft->proxy;
}

static int apply_count(struct parser *parser, const struct statement *statement, void *member)
{
	uint64_t value;
	unsigned narrow;

	if (argument_count(parser, statement, 0, &value) < 0)
		return -EINVAL;
	narrow = (unsigned)value;
	memcpy(member, &narrow, sizeof(narrow));
	return 1;
}

static int apply_size(struct parser *parser, const struct statement *statement, void *member)
{
	const struct keyword *keyword = statement->keyword;
	uint64_t value;
	unsigned narrow;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (value_parse_size(statement->words[0], &value) != VALUE_OK || value < keyword->min ||
		value > keyword->max) {
		report_alert(parser, "'%s' expects %llu to %llu bytes (k, m and g are understood), not '%s'",
			keyword->name, (unsigned long long)keyword->min, (unsigned long long)keyword->max,
			statement->words[0]);
		return -EINVAL;
	}
	narrow = (unsigned)value;
	memcpy(member, &narrow, sizeof(narrow));
	return 1;
}

static int apply_time(struct parser *parser, const struct statement *statement, void *member)
{
	uint32_t value_ms;

	if (argument_time(parser, statement, 1000, &value_ms) < 0)
		return -EINVAL;
	memcpy(member, &value_ms, sizeof(value_ms));
	return 1;
}

static int apply_text(struct parser *parser, const struct statement *statement, void *member)
{
	const char *copy;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	copy = arena_copy(parser->arena, statement->words[0]);
	memcpy(member, &copy, sizeof(copy));
	return 1;
}

/* Joins all words of the line by blanks. */
static int apply_sentence(struct parser *parser, const struct statement *statement, void *member)
{
	struct text text;
	size_t size = 1;
	const char *joined;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	for (unsigned i = 0; i < statement->count; i++)
		size += strlen(statement->words[i]) + 1;
	text_init(&text, arena_alloc(parser->arena, size), size);
	for (unsigned i = 0; i < statement->count; i++) {
		text_add(&text, i > 0 ? " " : "");
		text_add(&text, statement->words[i]);
	}
	joined = text.start;
	memcpy(member, &joined, sizeof(joined));
	return (int)statement->count;
}

/* Returns how many arguments were taken, or -EINVAL after reporting. */
static int statement_apply(struct parser *parser, const struct statement *statement)
{
	void *member = (char *)statement->target + statement->keyword->offset;

	switch (statement->keyword->type) {
	case KEYWORD_FLAG:
		*(bool *)member = !statement->is_negated;
		return 0;
	case KEYWORD_COUNT:
		return apply_count(parser, statement, member);
	case KEYWORD_SIZE:
		return apply_size(parser, statement, member);
	case KEYWORD_TIME:
		return apply_time(parser, statement, member);
	case KEYWORD_TEXT:
		return apply_text(parser, statement, member);
	case KEYWORD_SENTENCE:
		return apply_sentence(parser, statement, member);
	case KEYWORD_HANDLER:
		return statement->keyword->parse(parser, statement);
	}
	CHECK(false);
	return -EINVAL;
}

/* Steps over a leading "no"; "default" in front is refused. */
static bool take_negation(struct parser *parser, const char *const **words, unsigned *count)
{
	if (strcmp((*words)[0], "no") != 0)
		return false;
	if (*count < 2) {
		report_alert(parser, "'no' needs a keyword after it");
		*count = 0;
		return false;
	}
	(*words)++;
	(*count)--;
	return true;
}

void keyword_run_line(struct parser *parser, const char *const *words, unsigned count)
{
	struct statement statement = {.target = section_target(parser)};
	unsigned name_words;
	int taken;

	statement.is_negated = take_negation(parser, &words, &count);
	if (count == 0)
		return;
	statement.keyword = row_find(parser->section, words, count, &name_words);
	if (statement.keyword == NULL ||
		(statement.keyword->sections & (IN_PROXIES | IN_GLOBAL | IN_DEFAULTS | IN_RESOLVERS)) == 0) {
		report_no_row(parser, parser->section, words, count);
		return;
	}
	/* HTTP statistics and the like share a first word with words of 'global'. */
	if ((statement.keyword->sections & parser->section) == 0 &&
		refused_report(parser, parser->section, statement.keyword->name))
		return;
	if (is_misplaced(parser, statement.keyword))
		return;
	if (statement.is_negated && !statement.keyword->may_negate) {
		report_alert(parser, "'no' cannot stand in front of '%s'", statement.keyword->name);
		return;
	}
	statement.words = words + name_words;
	statement.count = count - name_words;
	taken = statement_apply(parser, &statement);
	if (taken >= 0 && (unsigned)taken < statement.count)
		report_alert(parser, "'%s' has an argument too many: '%s'", statement.keyword->name,
			statement.words[taken]);
}

int keyword_run_parameters(struct parser *parser, const struct parameters *parameters)
{
	int result = 0;

	for (unsigned at = 0; at < parameters->count;) {
		struct statement statement = {.target = parameters->target};
		unsigned name_words;
		int taken;

		statement.keyword = row_find(
			parameters->line, parameters->words + at, parameters->count - at, &name_words);
		if (statement.keyword == NULL || (statement.keyword->sections & parameters->line) == 0) {
			/* What follows may be its arguments, so the rest cannot be judged. */
			if (!refused_report(parser, parameters->line, parameters->words[at]))
				report_unknown(parser, parameters->line, parameters->words[at]);
			return -EINVAL;
		}
		statement.words = parameters->words + at + name_words;
		statement.count = parameters->count - at - name_words;
		taken = statement_apply(parser, &statement);
		if (taken < 0) {
			result = -EINVAL;
			taken = statement.count > 0 && statement.keyword->arguments != NULL ? 1 : 0;
		}
		at += name_words + (unsigned)taken;
	}
	return result;
}

int statement_refuse(struct parser *parser, const struct statement *statement)
{
	report_alert(parser, "'%s' expects %s", statement->keyword->name, statement->keyword->arguments);
	return -EINVAL;
}

int statement_refuse_word(
	struct parser *parser, const struct statement *statement, const char *word, const char *near)
{
	if (near != NULL)
		report_alert(parser, "'%s' does not know '%s', did you mean '%s'?", statement->keyword->name,
			word, near);
	else
		report_alert(parser, "'%s' does not know '%s', it expects %s", statement->keyword->name, word,
			statement->keyword->arguments);
	return -EINVAL;
}

int argument_count(struct parser *parser, const struct statement *statement, unsigned at, uint64_t *ret_value)
{
	const struct keyword *keyword = statement->keyword;
	uint64_t value;

	if (at >= statement->count)
		return statement_refuse(parser, statement);
	if (value_parse_count(statement->words[at], &value) != VALUE_OK || value < keyword->min ||
		value > keyword->max) {
		report_alert(parser, "'%s' expects a number from %llu to %llu, not '%s'", keyword->name,
			(unsigned long long)keyword->min, (unsigned long long)keyword->max,
			statement->words[at]);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

int argument_time(
	struct parser *parser, const struct statement *statement, uint64_t bare_unit_us, uint32_t *ret_ms)
{
	const struct keyword *keyword = statement->keyword;
	const char *word = statement->count > 0 ? statement->words[0] : "";
	uint32_t value_ms = 0;

	if (*word == '\0')
		return statement_refuse(parser, statement);
	switch (value_parse_time(word, bare_unit_us, &value_ms)) {
	case VALUE_OK:
		if (value_ms >= keyword->min && (keyword->max == 0 || value_ms <= keyword->max)) {
			*ret_ms = value_ms;
			return 0;
		}
		report_alert(parser, "'%s %s' is out of range: %llu ms to %llu ms", keyword->name, word,
			(unsigned long long)keyword->min,
			(unsigned long long)(keyword->max != 0 ? keyword->max : VALUE_TIME_MS_MAX));
		return -EINVAL;
	case VALUE_TOO_LARGE:
		report_alert(parser,
			"'%s %s' is too long: the longest time is 2147483647 ms, about 24.8 days",
			keyword->name, word);
		return -EINVAL;
	case VALUE_TOO_SMALL:
		report_alert(parser, "'%s %s' is too short: the shortest time is 1 ms", keyword->name, word);
		return -EINVAL;
	case VALUE_INVALID:
		report_alert(parser, "'%s' expects a time such as 500ms, 30s, 5m, 1h or 2d, not '%s'",
			keyword->name, word);
		return -EINVAL;
	}
	CHECK(false);
	return -EINVAL;
}
