/* From words of a line to compiled conditions, and their mistakes to messages. */
#include "config/rule_words.h"

#include <errno.h>
#include <string.h>

enum { COMPLAINT_BYTES = 512 };

/* The section's book, for what this line reads. */
static struct rule_book *book_open(struct parser *parser)
{
	struct rule_book *book = &parser->draft->book;
	struct config_place *place = arena_alloc(parser->arena, sizeof(*place));

	*place = parser->place;
	book->origin = place;
	return book;
}

int rule_words_expression(
	struct parser *parser, const char *keyword, const char *word, struct rule_expression **ret_expression)
{
	char storage[COMPLAINT_BYTES];
	struct text complaint;

	text_init(&complaint, storage, sizeof(storage));
	if (rule_expression_parse(book_open(parser), word, ret_expression, &complaint) == 0)
		return 0;
	report_alert(parser, "'%s %s': %s", keyword, word, storage);
	return -EINVAL;
}

int rule_words_condition(struct parser *parser, const struct statement *statement, unsigned at,
	const struct rule_condition **ret_condition)
{
	char storage[COMPLAINT_BYTES];
	struct rule_condition *condition;
	struct text complaint;

	*ret_condition = NULL;
	if (at >= statement->count)
		return 0;
	if (!rule_is_condition(statement->words[at])) {
		report_alert(parser, "'%s': 'if' or 'unless' must stand before a condition, not '%s'",
			statement->keyword->name, statement->words[at]);
		return -EINVAL;
	}
	text_init(&complaint, storage, sizeof(storage));
	if (rule_condition_parse(book_open(parser), statement->words + at, &condition, &complaint) < 0) {
		report_alert(parser, "'%s': %s", statement->keyword->name, storage);
		return -EINVAL;
	}
	*ret_condition = condition;
	return 0;
}

static struct config_name_part *part_add(struct parser *parser, struct config_name_part ***end)
{
	struct config_name_part *part = arena_alloc(parser->arena, sizeof(*part));

	**end = part;
	*end = &part->next;
	return part;
}

/* "%[…]" at the start of the text; *ret_len is what it takes. */
static int expression_part(struct parser *parser, const struct statement *statement, const char *text,
	struct config_name_part *part, size_t *ret_len)
{
	const char *end = strchr(text, ']');
	struct rule_expression *expression;
	const char *word;

	if (text[1] != '[' || end == NULL) {
		report_alert(parser, "'%s': '%%' must begin an expression, as in %%[req.ssl_sni,lower]",
			statement->keyword->name);
		return -EINVAL;
	}
	word = arena_copy_bytes(parser->arena, text + 2, (size_t)(end - text) - 2);
	if (rule_words_expression(parser, statement->keyword->name, word, &expression) < 0)
		return -EINVAL;
	part->expression = expression;
	*ret_len = (size_t)(end - text) + 1;
	return 0;
}

int rule_words_name(struct parser *parser, const struct statement *statement, const char *word,
	const struct config_name_part **ret_parts)
{
	struct config_name_part *parts = NULL, **end = &parts;

	*ret_parts = NULL;
	if (strchr(word, '%') == NULL)
		return 0;
	while (*word != '\0') {
		struct config_name_part *part = part_add(parser, &end);
		size_t len = strcspn(word, "%");

		if (len > 0)
			part->text = arena_copy_bytes(parser->arena, word, len);
		else if (expression_part(parser, statement, word, part, &len) < 0)
			return -EINVAL;
		word += len;
	}
	*ret_parts = parts;
	return 0;
}

int rule_words_parse_acl(struct parser *parser, const struct statement *statement)
{
	char storage[COMPLAINT_BYTES];
	struct text complaint;

	if (statement->count < 2)
		return statement_refuse(parser, statement);
	text_init(&complaint, storage, sizeof(storage));
	if (rule_acl_add(book_open(parser), statement->words[0], statement->words + 1, &complaint) < 0) {
		report_alert(parser, "'acl %s': %s", statement->words[0], storage);
		return -EINVAL;
	}
	return (int)statement->count;
}
