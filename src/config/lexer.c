/* Splits a line into words as HAProxy does.  A cursor walks the line once; what
 * it emits goes to the lexer's own storage. */
#include "config/lexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct cursor {
	struct lexer *lexer;
	const char *line;
	size_t len, at;
	bool in_word;
	char quote; /* ', " or 0 */
	size_t quote_at;
};

static int refuse(struct cursor *cursor, size_t at, const char *reason)
{
	cursor->lexer->reason = reason;
	cursor->lexer->column = at + 1;
	return -EINVAL;
}

static char peek(const struct cursor *cursor, size_t ahead)
{
	return cursor->at + ahead < cursor->len ? cursor->line[cursor->at + ahead] : '\0';
}

static bool is_blank(char character)
{
	return isspace((unsigned char)character) != 0;
}

static int word_open(struct cursor *cursor)
{
	struct lexer *lexer = cursor->lexer;

	if (cursor->in_word)
		return 0;
	if (lexer->count == LEXER_WORDS_MAX)
		return refuse(cursor, cursor->at, "the line has more than 256 words");
	if (lexer->used == sizeof(lexer->storage))
		return refuse(cursor, cursor->at, "the line is longer than 65536 bytes once expanded");
	lexer->words[lexer->count++] = lexer->storage + lexer->used;
	cursor->in_word = true;
	return 0;
}

static int word_add(struct cursor *cursor, char character)
{
	struct lexer *lexer = cursor->lexer;
	int result = word_open(cursor);

	if (result < 0)
		return result;
	/* One byte stays for the word's terminator. */
	if (lexer->used + 1 >= sizeof(lexer->storage))
		return refuse(cursor, cursor->at, "the line is longer than 65536 bytes once expanded");
	lexer->storage[lexer->used++] = character;
	return 0;
}

static void word_close(struct cursor *cursor)
{
	if (!cursor->in_word)
		return;
	cursor->lexer->storage[cursor->lexer->used++] = '\0';
	cursor->in_word = false;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The cursor is at \x. */
static int add_hex(struct cursor *cursor)
{
	int high = hex_value(peek(cursor, 2)), low = high < 0 ? -1 : hex_value(peek(cursor, 3));
	int result;

	if (low < 0)
		return refuse(cursor, cursor->at, "'\\x' needs two hexadecimal digits");
	if (high == 0 && low == 0)
		return refuse(cursor, cursor->at, "'\\x00' is not allowed: words cannot hold a NUL byte");
	result = word_add(cursor, (char)(high * 16 + low));
	cursor->at += 4;
	return result;
}

/* The cursor is at a backslash, not inside single quotes. */
static int add_escape(struct cursor *cursor)
{
	static const char sources[] = " \\#\"'trn", values[] = " \\#\"'\t\r\n";
	char next = peek(cursor, 1);
	const char *found = next == '\0' ? NULL : strchr(sources, next);
	int result;

	if (next == 'x')
		return add_hex(cursor);
	if (found == NULL && next == '$' && cursor->quote == '"') {
		cursor->at += 2;
		return word_add(cursor, '$');
	}
	if (found == NULL) {
		cursor->at++;
		return word_add(cursor, '\\');
	}
	result = word_add(cursor, values[found - sources]);
	cursor->at += 2;
	return result;
}

/* A variable as it stands in the line. */
struct reference {
	size_t name_at, name_len;
	size_t default_at, default_len;
	bool has_default, is_list;
	size_t end;
};

static bool is_name(char character, bool has_dots)
{
	return isalnum((unsigned char)character) || character == '_' || (has_dots && character == '.');
}

/* After "${NAME": an optional [*], an optional -default, the brace. */
static int reference_close(struct cursor *cursor, struct reference *ret_reference, size_t at)
{
	const char *line = cursor->line, *brace;

	if (at < cursor->len && line[at] == '[') {
		if (cursor->len - at < 3 || memcmp(line + at, "[*]", 3) != 0)
			return refuse(cursor, at, "only '[*]' may follow a variable's name");
		ret_reference->is_list = true;
		at += 3;
	}
	if (at < cursor->len && line[at] == '-') {
		brace = memchr(line + at, '}', cursor->len - at);
		if (brace == NULL)
			return refuse(cursor, cursor->at, "the brace after '$' is not closed");
		ret_reference->has_default = true;
		ret_reference->default_at = at + 1;
		ret_reference->default_len = (size_t)(brace - line) - at - 1;
		at = (size_t)(brace - line);
	}
	if (at >= cursor->len || line[at] != '}')
		return refuse(cursor, cursor->at, "the brace after '$' is not closed");
	ret_reference->end = at + 1;
	return 0;
}

/* The cursor is at '$' inside double quotes. */
static int reference_parse(struct cursor *cursor, struct reference *ret_reference)
{
	bool has_brace = peek(cursor, 1) == '{';
	size_t at = cursor->at + (has_brace ? 2 : 1);
	char first = at < cursor->len ? cursor->line[at] : '\0';

	memset(ret_reference, 0, sizeof(*ret_reference));
	if (!is_name(first, has_brace) || isdigit((unsigned char)first))
		return refuse(cursor, at, "a variable's name must start with a letter or '_'");
	ret_reference->name_at = at;
	while (at < cursor->len && is_name(cursor->line[at], first == '.'))
		at++;
	ret_reference->name_len = at - ret_reference->name_at;
	ret_reference->end = at;
	return has_brace ? reference_close(cursor, ret_reference, at) : 0;
}

/* Emits a value; the blanks of a list part words. */
static int add_value(struct cursor *cursor, const char *value, size_t len, bool is_list)
{
	for (size_t at = 0; at < len; at++) {
		int result;

		if (is_list && is_blank(value[at])) {
			word_close(cursor);
			continue;
		}
		result = word_add(cursor, value[at]);
		if (result < 0)
			return result;
	}
	return 0;
}

static int add_variable(struct cursor *cursor)
{
	struct lexer *lexer = cursor->lexer;
	struct reference reference;
	const char *value = NULL;
	int result = reference_parse(cursor, &reference);

	if (result < 0)
		return result;
	/* "${LIST[*]}" of an empty list is no word at all. */
	if (!reference.is_list && (result = word_open(cursor)) < 0)
		return result;
	if (lexer->variable != NULL)
		value = lexer->variable(lexer->context, cursor->line + reference.name_at, reference.name_len);
	if (value != NULL)
		result = add_value(cursor, value, strlen(value), reference.is_list);
	else if (reference.has_default)
		result = add_value(cursor, cursor->line + reference.default_at, reference.default_len,
			reference.is_list);
	cursor->at = reference.end;
	return result;
}

/* Opens or closes a quotation.  "" alone is an empty word. */
static int quote_toggle(struct cursor *cursor, char character)
{
	int result = 0;

	if (cursor->quote == 0) {
		cursor->quote = character;
		cursor->quote_at = cursor->at;
		if (peek(cursor, 1) == character)
			result = word_open(cursor);
	} else {
		cursor->quote = 0;
	}
	cursor->at++;
	return result;
}

/* Takes what stands at the cursor; -ECANCELED at a comment. */
static int step(struct cursor *cursor)
{
	char character = peek(cursor, 0);
	int result;

	if ((character == '"' && cursor->quote != '\'') || (character == '\'' && cursor->quote != '"'))
		return quote_toggle(cursor, character);
	if (character == '\\' && cursor->quote != '\'')
		return add_escape(cursor);
	if (character == '$' && cursor->quote == '"')
		return add_variable(cursor);
	if (cursor->quote == 0 && character == '#')
		return -ECANCELED;
	if (cursor->quote == 0 && is_blank(character)) {
		word_close(cursor);
		cursor->at++;
		return 0;
	}
	result = word_add(cursor, character);
	cursor->at++;
	return result;
}

int lexer_split(struct lexer *lexer, const char *line, size_t len)
{
	struct cursor cursor = {.lexer = lexer, .line = line, .len = len};
	int result = 0;

	lexer->count = 0;
	lexer->used = 0;
	lexer->reason = NULL;
	lexer->column = 0;
	while (result == 0 && cursor.at < len)
		result = step(&cursor);
	if (result == 0 && cursor.quote != 0)
		result = refuse(&cursor, cursor.quote_at, "the quote is not closed");
	word_close(&cursor);
	lexer->words[lexer->count] = NULL;
	return result == -ECANCELED ? 0 : result;
}
