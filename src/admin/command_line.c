/* Splits what a client typed into commands and words. */
#include <string.h>

#include "admin/command.h"

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r';
}

/* Copies one word down to `to`, without its backslashes; returns where it ended. */
static char *word_take(char *from, char *to)
{
	while (*from && *from != ';' && !is_blank(*from)) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from++;
	}
	/* from may be to: the end is written when the caller has read what ended it. */
	if (to != from)
		*to = '\0';
	return from;
}

bool command_line_next(char **line, char **words, unsigned *ret_words_count)
{
	char *at = *line;
	unsigned count = 0;
	if (!at || *at == '\0')
		return false;
	for (;;) {
		while (is_blank(*at))
			at++;
		if (*at == '\0' || *at == ';')
			break;
		char *word = at;
		at = word_take(at, word);
		if (count < COMMAND_WORDS_MAX)
			words[count] = word;
		count++;
		if (*at == '\0' || *at == ';')
			break;
		*at++ = '\0';
	}
	bool is_last = *at == '\0';
	*at = '\0';
	*line = is_last ? at : at + 1;
	words[count < COMMAND_WORDS_MAX ? count : COMMAND_WORDS_MAX] = NULL;
	*ret_words_count = count;
	return true;
}
