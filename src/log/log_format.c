/* Compiles log-format strings into a list of literals and variables, once, and
 * renders them for every session.  Which variables exist is log_variables.c. */
#include "log/log_format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/log_internal.h"

enum { LOG_FORMAT_LENGTH_MAX = 8192 };

struct log_item {
	const struct log_variable *variable; /* NULL: a literal */
	unsigned flags;
	uint32_t literal_start, literal_len;
};

struct log_format {
	size_t items_count;
	uint64_t *lines; /* rendered so far, for %lc; atomic */
	char *literals; /* all literal bytes, one after the other */
	size_t literals_len;
	struct log_item items[]; /* never more than bytes in the source */
};

const char log_format_default[] = "Connect from %ci:%cp to %fi:%fp (%ft/TCP)";

struct format_parser {
	const char *start, *at;
	struct log_format *format;
	unsigned global_flags;
	char *ret_reason;
	size_t reason_size;
};

static int parser_fail(struct format_parser *parser, const char *at, const char *sentence, const char *detail)
{
	snprintf(parser->ret_reason, parser->reason_size, "at character %zu: %s%s",
		(size_t)(at - parser->start) + 1, sentence, detail);
	return -EINVAL;
}

static void literal_add(struct log_format *format, const char *bytes, size_t len)
{
	struct log_item *last = format->items_count > 0 ? &format->items[format->items_count - 1] : NULL;
	memcpy(format->literals + format->literals_len, bytes, len);
	if (last && !last->variable) {
		last->literal_len += (uint32_t)len;
	} else {
		format->items[format->items_count++] = (struct log_item){
			.literal_start = (uint32_t)format->literals_len, .literal_len = (uint32_t)len};
	}
	format->literals_len += len;
}

static unsigned flag_of(char letter)
{
	switch (letter) {
	case 'Q':
		return LOG_FLAG_QUOTE;
	case 'X':
		return LOG_FLAG_HEX;
	case 'E':
		return LOG_FLAG_ESCAPE;
	}
	return 0;
}

/* Reads "{+Q,-X}" at parser->at, when there is one, and leaves at behind it. */
static int flags_parse(struct format_parser *parser, unsigned *flags)
{
	const char *at = parser->at;
	if (*at != '{')
		return 0;
	for (at++; *at != '}'; at++) {
		bool is_set = *at == '+';
		if (*at == ',')
			continue;
		if (*at != '+' && *at != '-')
			return parser_fail(parser, at, "flags are written like {+Q,-X}", "");
		unsigned flag = flag_of(*++at);
		if (flag == 0)
			return parser_fail(parser, at, "unknown flag, known are Q, X and E", "");
		*flags = is_set ? *flags | flag : *flags & ~flag;
	}
	parser->at = at + 1;
	return 0;
}

/* How far the name after the percent sign reaches. */
static size_t word_length(const char *at)
{
	if (*at == '[') {
		size_t len = strcspn(at, "]");
		return at[len] == ']' ? len + 1 : len;
	}
	size_t len = 0;
	while (isalnum((unsigned char)at[len]))
		len++;
	return len;
}

static int unknown_fail(struct format_parser *parser, const char *at, size_t len)
{
	char detail[160];
	int shown = len > 40 ? 40 : (int)len;
	const char *nearest = log_variable_nearest(at, len);
	if (len == 0)
		return parser_fail(parser, at, "a variable's name must follow '%', or write '%%'", "");
	if (nearest)
		snprintf(detail, sizeof(detail), "'%%%.*s', did you mean '%%%s'?", shown, at, nearest);
	else
		snprintf(detail, sizeof(detail), "'%%%.*s'", shown, at);
	return parser_fail(parser, at, "unknown variable ", detail);
}

/* at stands behind "%" and the flags. */
static int variable_parse(struct format_parser *parser, unsigned flags)
{
	char detail[96];
	const char *at = parser->at;
	size_t len = word_length(at);
	const struct log_variable *variable = log_variable_find(at, len);
	const char *kind = log_variable_foreign_kind(at, len);
	if (kind) {
		snprintf(detail, sizeof(detail), "%.*s exists for %s only, and traffic here is plain TCP",
			(int)len, at, kind);
		return parser_fail(parser, at, "%", detail);
	}
	if (len == 2 && memcmp(at, "ID", 2) == 0)
		return parser_fail(
			parser, at, "%ID needs unique-id-format, which is not available; see %[id]", "");
	parser->at = at + len;
	if (len == 1 && *at == 'o') {
		parser->global_flags = flags;
		return 0;
	}
	if (!variable)
		return unknown_fail(parser, at, len);
	parser->format->items[parser->format->items_count++] =
		(struct log_item){.variable = variable, .flags = flags};
	return 0;
}

static int format_parse(struct format_parser *parser)
{
	while (*parser->at) {
		size_t len = strcspn(parser->at, "%");
		if (len > 0) {
			literal_add(parser->format, parser->at, len);
			parser->at += len;
			continue;
		}
		parser->at++;
		if (*parser->at == '%') {
			literal_add(parser->format, "%", 1);
			parser->at++;
			continue;
		}
		unsigned flags = parser->global_flags;
		int error = flags_parse(parser, &flags);
		if (error == 0)
			error = variable_parse(parser, flags);
		if (error != 0)
			return error;
	}
	return 0;
}

int log_format_compile(
	const char *source, struct log_format **ret_format, char *ret_reason, size_t reason_size)
{
	size_t len = strlen(source);
	struct format_parser parser = {
		.start = source, .at = source, .ret_reason = ret_reason, .reason_size = reason_size};
	if (len > LOG_FORMAT_LENGTH_MAX) {
		snprintf(ret_reason, reason_size, "a log format has at most %d characters",
			LOG_FORMAT_LENGTH_MAX);
		return -EINVAL;
	}
	struct log_format *format = calloc(1, sizeof(*format) + (len + 1) * sizeof(struct log_item));
	if (!format)
		return -ENOMEM;
	format->literals = malloc(len + 1);
	format->lines = calloc(1, sizeof(*format->lines));
	if (!format->literals || !format->lines) {
		log_format_destroy(format);
		return -ENOMEM;
	}
	parser.format = format;
	log_variables_prepare();
	int error = format_parse(&parser);
	if (error != 0) {
		log_format_destroy(format);
		return error;
	}
	*ret_format = format;
	return 0;
}

void log_format_destroy(struct log_format *format)
{
	if (!format)
		return;
	free(format->literals);
	free(format->lines);
	free(format);
}

void log_format_render(const struct log_format *format, const struct log_record *record, struct text *text)
{
	struct log_render render = {.record = record, .text = text};
	render.line_number = __atomic_add_fetch(format->lines, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < format->items_count; i++) {
		const struct log_item *item = &format->items[i];
		render.flags = item->flags;
		if (item->variable)
			item->variable->print(&render);
		else
			text_add_bytes(text, format->literals + item->literal_start, item->literal_len);
	}
}
