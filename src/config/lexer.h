/* One line of configuration into words: quotes, escapes, variables, comments.
 * Knows nothing of keywords. */
#pragma once

#include <stddef.h>

#include "base/status.h"

enum {
	LEXER_LINE_BYTES_MAX = 64 * 1024, /* of a line, and of its words after expansion */
	LEXER_WORDS_MAX = 256,
};

struct lexer {
	/* The value of a variable (name not terminated), NULL when it does not exist.
	 * The text must live until the line's words are no longer needed. */
	const char *(*variable)(void *context, const char *name, size_t len);
	void *context;

	/* Results of lexer_split(). */
	const char *words[LEXER_WORDS_MAX + 1]; /* NULL after the last */
	unsigned count;
	const char *reason; /* why the line was refused */
	size_t column; /* where, from 1 */

	size_t used;
	char storage[LEXER_LINE_BYTES_MAX];
};

/* Splits `len` bytes at `line` (no line feed).
 *
 * Words part at white space; '#' starts a comment.  '…' keeps everything; "…"
 * expands $NAME, ${NAME}, ${NAME-default} and ${NAME[*]} (whose value becomes
 * several words).  Outside '…' a backslash before a blank, \, #, " or ' gives
 * that character, \t \r \n and \xHH control characters, and \$ a dollar inside
 * "…"; before anything else it stays.
 * Returns 0, or -EINVAL with reason and column set.  The words live in the lexer. */
int lexer_split(struct lexer *lexer, const char *line, size_t len) MUST_USE;
