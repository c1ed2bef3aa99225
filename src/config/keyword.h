/* The rows: every word of the language with its type, range, default and the
 * manual's sentence, and what runs when it is met.  Private to config/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/parser.h"

enum keyword_type {
	KEYWORD_FLAG, /* bool */
	KEYWORD_COUNT, /* unsigned, min..max */
	KEYWORD_SIZE, /* unsigned, bytes with k, m, g, min..max */
	KEYWORD_TIME, /* uint32_t milliseconds, min..max, bare unit ms */
	KEYWORD_TEXT, /* const char *, one word */
	KEYWORD_SENTENCE, /* const char *, all words of the line */
	KEYWORD_HANDLER, /* parse() reads the arguments */
};

/* What becomes of a changed value when the configuration is loaded anew. */
enum keyword_reload {
	RELOAD_LIVE, /* counts for connections accepted from then on */
	RELOAD_RESTART, /* needs a restart of the program */
};

struct statement;

struct keyword {
	const char *name; /* as written; may be two words */
	const char *arguments; /* as the manual shows them; NULL: none */
	unsigned sections; /* set of enum section */
	enum keyword_type type;
	size_t offset; /* of the member, in the section's struct */
	uint64_t min, max;
	/* Returns how many arguments it took, or -EINVAL after reporting. */
	int (*parse)(struct parser *parser, const struct statement *statement);
	const char *default_text; /* NULL: nothing, or off for a flag */
	const char *unit;
	enum keyword_reload reload;
	bool may_negate; /* "no" in front is understood */
	bool is_required_here; /* an error, not a warning, where it has no effect */
	const char *sentence;
};

/* A keyword as met: its arguments, and the struct that its row's offset is in. */
struct statement {
	const struct keyword *keyword;
	const char *const *words; /* after the name; NULL-terminated */
	unsigned count;
	bool is_negated;
	void *target;
};

/* Compile-time check that a member has the type a row says. */
#define MEMBER_OFFSET(owner, member, expected) \
	(offsetof(owner, member) + 0 * sizeof(char[_Generic(((owner *)0)->member, expected : 1)]))
#define FLAG_AT(owner, member)  .type = KEYWORD_FLAG, .offset = MEMBER_OFFSET(owner, member, bool)
#define COUNT_AT(owner, member) .type = KEYWORD_COUNT, .offset = MEMBER_OFFSET(owner, member, unsigned)
#define SIZE_AT(owner, member)  .type = KEYWORD_SIZE, .offset = MEMBER_OFFSET(owner, member, unsigned)
#define TIME_AT(owner, member)  .type = KEYWORD_TIME, .offset = MEMBER_OFFSET(owner, member, uint32_t)
#define TEXT_AT(owner, member)  .type = KEYWORD_TEXT, .offset = MEMBER_OFFSET(owner, member, const char *)
#define SENTENCE_AT(owner, member) \
	.type = KEYWORD_SENTENCE, .offset = MEMBER_OFFSET(owner, member, const char *)
#define HANDLED_BY(function) .type = KEYWORD_HANDLER, .parse = (function)

struct keyword_table {
	const struct keyword *rows;
	size_t count;
};

/* All tables, in the order of the manual; ends with rows == NULL. */
extern const struct keyword_table *const keyword_tables[];
extern const struct keyword_table keywords_process, keywords_threads, keywords_tuning, keywords_wire,
	keywords_sockmap, keywords_stats, keywords_environment, keywords_log, keywords_proxy,
	keywords_balance, keywords_rule, keywords_timeout, keywords_option, keywords_check, keywords_bind,
	keywords_server, keywords_server_check, keywords_resolvers;

/* Runs one line of a section. */
void keyword_run_line(struct parser *parser, const char *const *words, unsigned count);

/* Runs the parameters of a bind, server or stats socket line into the target.
 * Returns 0, or -EINVAL when one was refused. */
struct parameters {
	enum section line; /* ON_BIND, ON_SERVER, ON_STATS_SOCKET */
	const char *const *words;
	unsigned count;
	void *target;
};
int keyword_run_parameters(struct parser *parser, const struct parameters *parameters) MUST_USE;

/* The legal word of the section nearest to a misspelt one, NULL when none is near. */
const char *keyword_nearest(unsigned section, const char *word);
/* The nearest of a NULL-terminated list of names. */
const char *name_nearest(const char *const *names, const char *word);

/* refused.c: words of HAProxy's that are understood and refused.  True after
 * reporting; `word` may be two words joined by a blank. */
bool refused_report(struct parser *parser, unsigned section, const char *word);
void refused_print(FILE *out); /* for the manual */

/* Shared by handlers. */

/* Reads words[at] as a count of min..max; reports what is wrong. */
int argument_count(
	struct parser *parser, const struct statement *statement, unsigned at, uint64_t *ret_value) MUST_USE;
/* Same for a duration; bare_unit_us as value_parse_time() has it. */
int argument_time(struct parser *parser, const struct statement *statement, uint64_t bare_unit_us,
	uint32_t *ret_ms) MUST_USE;
/* "'name' expects …" with the row's arguments. */
int statement_refuse(struct parser *parser, const struct statement *statement);
/* "'name' does not know 'word', did you mean 'near'?"; near may be NULL. */
int statement_refuse_word(
	struct parser *parser, const struct statement *statement, const char *word, const char *near);
