/* From bytes to lines to words, and to the section or keyword that takes them. */
#include "config/parser.h"

#include <string.h>

#include "config/keyword.h"

static const char *const section_words[] = {"global", "defaults", "frontend", "backend", "listen", NULL};

void parser_run_words(struct parser *parser, const char *const *words, unsigned count)
{
	const char *nearest;

	if (section_begin(parser, words, count) || parser->is_section_refused)
		return;
	if (parser->section != 0) {
		keyword_run_line(parser, words, count);
		return;
	}
	nearest = name_nearest(section_words, words[0]);
	if (nearest != NULL)
		report_alert(
			parser, "'%s' unknown outside of a section, did you mean '%s'?", words[0], nearest);
	else
		report_alert(parser, "'%s' stands outside of a section", words[0]);
}

/* What is too long for a line; reported. */
static bool is_too_long(struct parser *parser, size_t len)
{
	if (len <= LEXER_LINE_BYTES_MAX)
		return false;
	report_alert(parser, "a line of %zu bytes: the longest line allowed has %u bytes", len,
		LEXER_LINE_BYTES_MAX);
	return true;
}

static void line_run(struct parser *parser, const char *line, size_t len)
{
	if (is_too_long(parser, len) || directive_take(parser, line, len))
		return;
	if (lexer_split(&parser->lexer, line, len) < 0) {
		report_alert(parser, "%s, at column %zu", parser->lexer.reason, parser->lexer.column);
		return;
	}
	if (parser->lexer.count > 0)
		parser_run_words(parser, parser->lexer.words, parser->lexer.count);
}

void parser_feed(struct parser *parser, const char *name, const char *bytes, size_t len)
{
	const char *end = bytes + len;

	parser->place.file = name;
	parser->place.line = 0;
	parser->section = 0;
	parser->is_section_refused = false;
	while (bytes < end && !parser->is_stopped) {
		const char *line_end = memchr(bytes, '\n', (size_t)(end - bytes));
		bool is_last = line_end == NULL;

		parser->place.line++;
		if (is_last)
			line_end = end;
		/* What follows in such a file is not worth a message a line. */
		if (memchr(bytes, '\0', (size_t)(line_end - bytes)) != NULL) {
			report_alert(parser, "the line contains a NUL byte: is this a text file?");
			break;
		}
		line_run(parser, bytes, (size_t)(line_end - bytes));
		if (is_last)
			report_alert(parser, "the last line has no line feed: the file may have been cut");
		bytes = is_last ? end : line_end + 1;
	}
	directive_end_file(parser);
}
