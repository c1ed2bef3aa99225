/* Lines that begin with a dot: conditional blocks and messages. */
#include <ctype.h>
#include <string.h>

#include "base/lookup.h"
#include "base/text.h"
#include "config/condition.h"
#include "config/keyword.h"
#include "config/parser.h"

enum directive {
	DIRECTIVE_IF,
	DIRECTIVE_ELIF,
	DIRECTIVE_ELSE,
	DIRECTIVE_ENDIF,
	DIRECTIVE_NOTICE,
	DIRECTIVE_WARNING,
	DIRECTIVE_ALERT,
	DIRECTIVE_DIAG,
	DIRECTIVES
};

static const char *const directive_names[DIRECTIVES + 1] = {
	".if", ".elif", ".else", ".endif", ".notice", ".warning", ".alert", ".diag", NULL};

enum { DIRECTIVE_WORD_MAX = 32 };

static bool is_skipping(const struct parser *parser)
{
	return parser->depth > 0 && !parser->levels[parser->depth - 1].is_taken;
}

/* The first word of the line as it stands, cut to what a directive may have. */
static void first_word(const char *line, size_t len, char *ret_word)
{
	size_t start = 0, end;

	while (start < len && isspace((unsigned char)line[start]))
		start++;
	end = start;
	while (end < len && !isspace((unsigned char)line[end]) && end - start < DIRECTIVE_WORD_MAX - 1)
		end++;
	memcpy(ret_word, line + start, end - start);
	ret_word[end - start] = '\0';
}

/* Splits the line and evaluates what follows its first word; a mistake is
 * reported and counts as false. */
static bool evaluate(struct parser *parser, const char *line, size_t len, bool *ret_failed)
{
	char joined[LEXER_LINE_BYTES_MAX];
	struct text text;
	const char *reason;
	bool value = false;

	*ret_failed = true;
	if (lexer_split(&parser->lexer, line, len) < 0) {
		report_alert(parser, "%s, at column %zu", parser->lexer.reason, parser->lexer.column);
		return false;
	}
	text_init(&text, joined, sizeof(joined));
	for (unsigned i = 1; i < parser->lexer.count; i++) {
		text_add(&text, i > 1 ? " " : "");
		text_add(&text, parser->lexer.words[i]);
	}
	if (condition_evaluate(joined, &parser->environment, &value, &reason) < 0) {
		report_alert(parser, "cannot judge the condition '%s': %s", joined, reason);
		return false;
	}
	*ret_failed = false;
	return value;
}

static void begin_if(struct parser *parser, const char *line, size_t len)
{
	bool is_outside_skipped = is_skipping(parser), has_failed = false;
	struct condition_level *level;

	if (parser->depth == CONDITION_DEPTH_MAX) {
		report_alert(parser, "more than %u '.if' inside each other", CONDITION_DEPTH_MAX);
		parser->is_stopped = true;
		return;
	}
	level = &parser->levels[parser->depth];
	level->place = parser->place;
	level->has_else = false;
	level->is_taken = !is_outside_skipped && evaluate(parser, line, len, &has_failed);
	level->was_taken = level->is_taken || is_outside_skipped || has_failed;
	parser->depth++;
}

/* .elif and .else */
static void switch_branch(struct parser *parser, enum directive directive, const char *line, size_t len)
{
	struct condition_level *level;
	bool has_failed = false;

	if (parser->depth == 0) {
		report_alert(parser, "'%s' without a '.if' above it", directive_names[directive]);
		return;
	}
	level = &parser->levels[parser->depth - 1];
	if (level->has_else) {
		report_alert(parser, "'%s' after the '.else' of the '.if' at line %u",
			directive_names[directive], level->place.line);
		return;
	}
	level->has_else = directive == DIRECTIVE_ELSE;
	level->is_taken = !level->was_taken &&
		(directive == DIRECTIVE_ELSE || evaluate(parser, line, len, &has_failed));
	level->was_taken |= level->is_taken || has_failed;
}

static void end_if(struct parser *parser)
{
	if (parser->depth == 0)
		report_alert(parser, "'.endif' without a '.if' above it");
	else
		parser->depth--;
}

static void show_message(struct parser *parser, enum directive directive, const char *line, size_t len)
{
	const char *message;

	if (lexer_split(&parser->lexer, line, len) < 0) {
		report_alert(parser, "%s, at column %zu", parser->lexer.reason, parser->lexer.column);
		return;
	}
	if (parser->lexer.count != 2) {
		report_alert(
			parser, "'%s' expects one message: put quotes around it", directive_names[directive]);
		return;
	}
	message = parser->lexer.words[1];
	if (directive == DIRECTIVE_NOTICE)
		report_notice(parser, "%s", message);
	else if (directive == DIRECTIVE_WARNING)
		report_warning(parser, "%s", message);
	else if (directive == DIRECTIVE_ALERT)
		report_alert(parser, "%s", message);
	/* .diag speaks in HAProxy's diagnostic mode (-dD) only, which is not offered. */
}

static void run(struct parser *parser, enum directive directive, const char *line, size_t len)
{
	switch (directive) {
	case DIRECTIVE_IF:
		begin_if(parser, line, len);
		return;
	case DIRECTIVE_ELIF:
	case DIRECTIVE_ELSE:
		switch_branch(parser, directive, line, len);
		return;
	case DIRECTIVE_ENDIF:
		end_if(parser);
		return;
	case DIRECTIVE_NOTICE:
	case DIRECTIVE_WARNING:
	case DIRECTIVE_ALERT:
	case DIRECTIVE_DIAG:
		if (!is_skipping(parser))
			show_message(parser, directive, line, len);
		return;
	case DIRECTIVES:
		return;
	}
}

bool directive_take(struct parser *parser, const char *line, size_t len)
{
	char word[DIRECTIVE_WORD_MAX];

	first_word(line, len, word);
	if (word[0] != '.')
		return is_skipping(parser);
	for (unsigned i = 0; i < DIRECTIVES; i++) {
		if (strcmp(directive_names[i], word) == 0) {
			run(parser, (enum directive)i, line, len);
			return true;
		}
	}
	if (!is_skipping(parser)) {
		const char *nearest = name_nearest(directive_names, word);

		if (nearest != NULL)
			report_alert(parser, "'%s' is no directive, did you mean '%s'?", word, nearest);
		else
			report_alert(parser, "'%s' is no directive", word);
	}
	return true;
}

void directive_end_file(struct parser *parser)
{
	for (; parser->depth > 0; parser->depth--)
		report_alert_at(parser, &parser->levels[parser->depth - 1].place,
			"'.if' has no '.endif' in this file");
}
