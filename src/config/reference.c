/* The keyword chapters of the manual, printed from the rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/keyword.h"
#include "config/reference.h"

static const struct {
	enum section section;
	const char *name;
} places[] = {
	{IN_GLOBAL, "global"},
	{IN_DEFAULTS, "defaults"},
	{IN_FRONTEND, "frontend"},
	{IN_BACKEND, "backend"},
	{IN_LISTEN, "listen"},
	{IN_RESOLVERS, "resolvers"},
	{ON_BIND, "parameter of bind"},
	{ON_SERVER, "parameter of server and default-server"},
	{ON_STATS_SOCKET, "parameter of stats socket"},
};

/* Chapters in order, by the sections whose rows they have. */
static const struct {
	const char *title;
	unsigned sections;
} chapters[] = {
	{"GLOBAL SECTION", IN_GLOBAL},
	{"PROXY SECTIONS", IN_DEFAULTS | IN_PROXIES},
	{"PARAMETERS OF BIND", ON_BIND},
	{"PARAMETERS OF SERVER", ON_SERVER},
	{"PARAMETERS OF STATS SOCKET", ON_STATS_SOCKET},
	{"RESOLVERS SECTIONS", IN_RESOLVERS},
};

enum { LINE_COLUMNS = 78 };

/* One word for mdoc, where nothing of it is markup.  Returns its columns. */
static size_t print_word(FILE *out, const char *word, size_t len, bool is_first)
{
	size_t columns = len;

	if (is_first && (*word == '.' || *word == '\''))
		columns += (size_t)fprintf(out, "\\&");
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\\')
			columns += (size_t)fprintf(out, "\\e") - 1;
		else
			fputc(word[i], out);
	}
	return columns;
}

void reference_print_text(FILE *out, const char *text)
{
	size_t column = 0;
	bool is_sentence_end = false;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		bool is_line_start = column == 0 || is_sentence_end || column + 1 + len > LINE_COLUMNS;

		if (column > 0)
			fputc(is_line_start ? '\n' : ' ', out);
		column = is_line_start ? 0 : column + 1;
		column += print_word(out, text, len, is_line_start);
		is_sentence_end = len > 2 && text[len - 1] == '.' && text[len - 2] != '.';
		text += len;
		text += strspn(text, " ");
	}
}

static void print_places(FILE *out, unsigned sections)
{
	const char *separator = "";

	fputs("Sections: ", out);
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if ((sections & places[i].section) == 0)
			continue;
		fprintf(out, "%s%s", separator, places[i].name);
		separator = ", ";
	}
	fputs(".\n", out);
}

static void print_range(FILE *out, const struct keyword *keyword)
{
	if (keyword->max == 0)
		return;
	fprintf(out, "Range: %llu to %llu%s%s.\n", (unsigned long long)keyword->min,
		(unsigned long long)keyword->max,
		keyword->type == KEYWORD_TIME ? " "
			: keyword->unit       ? " "
					      : "",
		keyword->unit != NULL ? keyword->unit : "");
}

static void print_row(FILE *out, const struct keyword *keyword)
{
	bool is_flag = keyword->arguments == NULL;

	fprintf(out, ".It Ic \"%s\"", keyword->name);
	if (keyword->arguments != NULL)
		fprintf(out, " Ar \"%s\"", keyword->arguments);
	fputc('\n', out);
	reference_print_text(out, keyword->sentence);
	fputs("\n.br\n", out);
	print_places(out, keyword->sections);
	if (keyword->default_text != NULL) {
		fputs("Default:\n", out);
		reference_print_text(out, keyword->default_text);
		fputs(".\n", out);
	} else if (is_flag) {
		fputs("Default: off.\n", out);
	}
	print_range(out, keyword);
	if (keyword->may_negate)
		fprintf(out, "May be taken back with\n.Ql no %s .\n", keyword->name);
	fprintf(out, "A change %s.\n",
		keyword->reload == RELOAD_LIVE ? "counts from the next load on" : "needs a restart");
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp((*(const struct keyword *const *)a)->name, (*(const struct keyword *const *)b)->name);
}

enum { ROWS_MAX = 256 };

static void print_chapter(FILE *out, const char *title, unsigned sections)
{
	const struct keyword *rows[ROWS_MAX];
	size_t count = 0;

	for (const struct keyword_table *const *table = keyword_tables; *table != NULL; table++) {
		for (size_t i = 0; i < (*table)->count && count < ROWS_MAX; i++) {
			if (((*table)->rows[i].sections & sections) != 0)
				rows[count++] = &(*table)->rows[i];
		}
	}
	qsort(rows, count, sizeof(rows[0]), compare_rows);
	fprintf(out, ".Sh %s\n.Bl -tag -width Ds\n", title);
	for (size_t i = 0; i < count; i++)
		print_row(out, rows[i]);
	fputs(".El\n", out);
}

void config_reference_print(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LENGTH(chapters); i++)
		print_chapter(out, chapters[i].title, chapters[i].sections);
	reference_print_rules(out);
	fputs(".Sh WORDS THAT ARE REFUSED\n"
	      "These words of HAProxy's language are known and refused.\n"
	      "Any other word is an error too.\n"
	      ".Bl -tag -width Ds\n",
		out);
	refused_print(out);
	fputs(".El\n", out);
}
