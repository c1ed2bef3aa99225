/* Lines into words: quotes, escapes, variables, comments, limits. */
#include "config/lexer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static const char *variable(void *context, const char *name, size_t len)
{
	(void)context;
	if (len == 4 && memcmp(name, "HOME", 4) == 0)
		return "/root";
	if (len == 4 && memcmp(name, "LIST", 4) == 0)
		return "a  b c";
	if (len == 5 && memcmp(name, "EMPTY", 5) == 0)
		return "";
	if (len == 5 && memcmp(name, ".LINE", 5) == 0)
		return "7";
	return NULL;
}

struct lexer_case {
	const char *name, *line;
	const char *words; /* joined by '|'; NULL: refused */
	const char *reason;
	size_t column;
};

static const struct lexer_case cases[] = {
	{"an empty line has no words", "", ""},
	{"blanks part words", " \ta  b\tc \r", "a|b|c"},
	{"a comment ends the line", "a b # c d", "a|b"},
	{"a comment may start inside a word", "a#b c", "a"},
	{"an escaped # is part of a word", "a\\#b", "a#b"},
	{"an escaped blank is part of a word", "a\\ b", "a b"},
	{"single quotes keep everything", "'a\\\"b\\x41\\q$X \\# \\'", "a\\\"b\\x41\\q$X \\# \\"},
	{"double quotes keep blanks and comments", "\"a # b\"", "a # b"},
	{"quotes join with what is beside them", "a\"b c\"'d e'f", "ab cd ef"},
	{"each kind of quote may hold the other", "\"x'y\"'x\"y'", "x'yx\"y"},
	{"an empty quotation is an empty word", "a \"\" '' b", "a|||b"},
	{"escapes work inside double quotes", "\"a\\\"b\\'c\\x41\\q\\$X\\ \\#\"", "a\"b'cA\\q$X #"},
	{"an escaped dollar stays outside of quotes", "\\$X", "\\$X"},
	{"control characters have escapes", "\\t\\r\\n", "\t\r\n"},
	{"a backslash before anything else stays", "a\\qb\\", "a\\qb\\"},
	{"variables expand in double quotes", "\"$HOME ${HOME}x\"", "/root /rootx"},
	{"variables do not expand elsewhere", "$HOME '$HOME' ${HOME}", "$HOME|$HOME|${HOME}"},
	{"an unknown variable is empty", "a \"$NOPE\" b", "a||b"},
	{"a default replaces an unknown variable", "\"${NOPE-def ault}\"", "def ault"},
	{"a default does not replace an empty variable", "\"${EMPTY-x}\"", ""},
	{"a default does not replace a known variable", "\"${HOME-x}\"", "/root"},
	{"a default may be empty", "\"${NOPE-}\"", ""},
	{"a list becomes several words", "x \"${LIST[*]}\" y", "x|a|b|c|y"},
	{"a list joins with what is beside it", "\"<${LIST[*]}>\"", "<a|b|c>"},
	{"an empty list is no word", "x \"${EMPTY[*]}\" y", "x|y"},
	{"a value is not expanded again nor cut by blanks", "\"$LIST\"", "a  b c"},
	{"a dot may begin a name in braces", "\"${.LINE}\"", "7"},
	{"an open double quote is refused", "a \"b", NULL, "the quote is not closed", 3},
	{"an open single quote is refused", "a 'b", NULL, "the quote is not closed", 3},
	{"an open brace is refused", "\"${HOME\"", NULL, "the brace after '$' is not closed", 2},
	{"a blank in a name is refused", "\"${HO ME}\"", NULL, "the brace after '$' is not closed", 2},
	{"an open default is refused", "\"${HOME-x\"", NULL, "the brace after '$' is not closed", 2},
	{"a dollar alone is refused", "\"$\"", NULL, "a variable's name must start with a letter or '_'", 3},
	{"a digit in front is refused", "\"$1\"", NULL, "a variable's name must start with a letter or '_'",
		3},
	{"a dot without braces is refused", "\"$.x\"", NULL,
		"a variable's name must start with a letter or '_'", 3},
	{"half a list suffix is refused", "\"${LIST[}\"", NULL, "only '[*]' may follow a variable's name", 8},
	{"a wrong hexadecimal escape is refused", "a\\xZZ", NULL, "'\\x' needs two hexadecimal digits", 2},
	{"a cut hexadecimal escape is refused", "a\\x4", NULL, "'\\x' needs two hexadecimal digits", 2},
	{"an escaped NUL is refused", "a\\x00", NULL, "'\\x00' is not allowed: words cannot hold a NUL byte",
		2},
};

static void words_join(const struct lexer *lexer, char *storage, size_t size)
{
	struct text text;

	text_init(&text, storage, size);
	for (unsigned i = 0; i < lexer->count; i++) {
		text_add(&text, i > 0 ? "|" : "");
		text_add(&text, lexer->words[i]);
	}
}

static void lines_become_words(void **state)
{
	struct lexer *lexer = *state;
	char joined[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct lexer_case *row = &cases[i];
		int result = lexer_split(lexer, row->line, strlen(row->line));

		print_message("%s\n", row->name);
		if (row->words == NULL) {
			assert_int_equal(result, -EINVAL);
			assert_string_equal(lexer->reason, row->reason);
			assert_int_equal(lexer->column, row->column);
			continue;
		}
		assert_int_equal(result, 0);
		words_join(lexer, joined, sizeof(joined));
		assert_string_equal(joined, row->words);
		assert_null(lexer->words[lexer->count]);
	}
}

static void the_number_of_words_is_bounded(void **state)
{
	struct lexer *lexer = *state;
	char line[2 * LEXER_WORDS_MAX + 2];

	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = i % 2 == 0 ? 'a' : ' ';
	assert_int_equal(lexer_split(lexer, line, 2 * LEXER_WORDS_MAX), 0);
	assert_int_equal(lexer->count, LEXER_WORDS_MAX);
	assert_int_equal(lexer_split(lexer, line, 2 * LEXER_WORDS_MAX + 1), -EINVAL);
	assert_string_equal(lexer->reason, "the line has more than 256 words");
}

static void the_expanded_length_is_bounded(void **state)
{
	static const char piece[] = "\"$HOME$HOME$HOME$HOME\"";
	struct lexer *lexer = *state;
	size_t pieces = LEXER_LINE_BYTES_MAX / 20 + 1, len = sizeof(piece) - 1;
	char *line = malloc(pieces * len);

	assert_non_null(line);
	for (size_t i = 0; i < pieces; i++)
		memcpy(line + i * len, piece, len);
	assert_int_equal(lexer_split(lexer, line, pieces * len), -EINVAL);
	assert_string_equal(lexer->reason, "the line is longer than 65536 bytes once expanded");
	free(line);
}

static int setup(void **state)
{
	struct lexer *lexer = calloc(1, sizeof(*lexer));

	if (lexer == NULL)
		return -1;
	lexer->variable = variable;
	*state = lexer;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_words),
		cmocka_unit_test(the_number_of_words_is_bounded),
		cmocka_unit_test(the_expanded_length_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
