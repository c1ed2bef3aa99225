/* Messages about the configuration, counted and bounded. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "config/parser.h"

enum { MESSAGE_BYTES_MAX = 1024, ALERTS_MAX = 100 };

/* Files may hold anything; a terminal gets printable text only. */
static void make_printable(char *message)
{
	for (; *message != '\0'; message++) {
		if ((unsigned char)*message < ' ' || *message == 127)
			*message = '?';
	}
}

static void message_add_place(struct text *text, const struct config_place *place)
{
	if (place == NULL || place->file == NULL)
		return;
	if (place->line == 0)
		text_printf(text, "[%s] : ", place->file);
	else
		text_printf(text, "[%s:%u] : ", place->file, place->line);
}

static void PRINTF_LIKE(4, 0) write_message(struct parser *parser, const char *label,
	const struct config_place *place, const char *format, va_list arguments)
{
	FILE *out = parser->options->errors != NULL ? parser->options->errors : stderr;
	char storage[MESSAGE_BYTES_MAX];
	struct text text;
	char last;

	text_init(&text, storage, sizeof(storage));
	message_add_place(&text, place);
	text_vprintf(&text, format, arguments);
	make_printable(storage);
	last = text.len > 0 ? storage[text.len - 1] : '.';
	fprintf(out, "%-10s (%d) : config : %s%s\n", label, (int)getpid(), storage,
		text.is_cut                                         ? "..."
			: last == '.' || last == '?' || last == '!' ? ""
								    : ".");
}

static void PRINTF_LIKE(3, 0)
	alert(struct parser *parser, const struct config_place *place, const char *format, va_list arguments)
{
	unsigned alerts_max = parser->options->errors_max != 0 ? parser->options->errors_max : ALERTS_MAX;

	if (parser->is_stopped)
		return;
	write_message(parser, "[ALERT]", place, format, arguments);
	parser->alerts++;
	if (parser->alerts < alerts_max)
		return;
	parser->is_stopped = true;
	fprintf(parser->options->errors != NULL ? parser->options->errors : stderr,
		"%-10s (%d) : config : %u errors: the rest is not looked at.\n", "[ALERT]", (int)getpid(),
		parser->alerts);
}

void report_alert(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	alert(parser, &parser->place, format, arguments);
	va_end(arguments);
}

void report_alert_at(struct parser *parser, const struct config_place *place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	alert(parser, place, format, arguments);
	va_end(arguments);
}

void report_alert_all(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	alert(parser, NULL, format, arguments);
	va_end(arguments);
}

void report_warning(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	parser->warnings++;
	if (!parser->is_stopped)
		write_message(parser, "[WARNING]", &parser->place, format, arguments);
	va_end(arguments);
}

void report_warning_at(struct parser *parser, const struct config_place *place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	parser->warnings++;
	if (!parser->is_stopped)
		write_message(parser, "[WARNING]", place, format, arguments);
	va_end(arguments);
}

void report_notice(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!parser->is_stopped)
		write_message(parser, "[NOTICE]", &parser->place, format, arguments);
	va_end(arguments);
}

void report_end(struct parser *parser)
{
	fprintf(parser->options->errors != NULL ? parser->options->errors : stderr,
		"%-10s (%d) : config : Fatal errors found in configuration.\n", "[ALERT]", (int)getpid());
}
