/* A fetch and what is made of it, one step after the other. */
#include "rule/expression.h"

#include <errno.h>
#include <string.h>

#include "rule/converter.h"
#include "rule/fetch.h"
#include "rule/pattern.h"

struct rule_expression {
	const struct fetch *fetch;
	struct fetch_arguments arguments;
	struct conversion *conversions;
	enum sample_type type;
};

static const char *type_name(enum sample_type type)
{
	static const char *const names[] = {
		[SAMPLE_BOOL] = "a boolean",
		[SAMPLE_INTEGER] = "a number",
		[SAMPLE_ADDRESS] = "an address",
		[SAMPLE_TEXT] = "a text",
	};
	return names[type];
}

static int fetch_parse(
	struct rule_book *book, const char **at, struct rule_expression *expression, struct text *complaint)
{
	struct rule_call call;
	if (rule_call_parse(book, at, &call, complaint) < 0)
		return -EINVAL;
	expression->fetch = fetch_find(call.name);
	if (expression->fetch == NULL) {
		const char *nearest = fetch_nearest(call.name);
		text_printf(complaint, "there is nothing like '%s' to ask for", call.name);
		if (nearest != NULL)
			text_printf(complaint, ", did you mean '%s'?", nearest);
		return -EINVAL;
	}
	expression->type = expression->fetch->type;
	return fetch_arguments_parse(book, expression->fetch, &call, &expression->arguments, complaint);
}

static bool is_convertible(enum sample_type from, enum sample_type to)
{
	return from == to || to == SAMPLE_TEXT;
}

static int conversions_parse(
	struct rule_book *book, const char *at, struct rule_expression *expression, struct text *complaint)
{
	struct conversion **end = &expression->conversions;
	while (*at == ',') {
		struct rule_call call;
		at++;
		if (rule_call_parse(book, &at, &call, complaint) < 0 ||
			conversion_parse(book, &call, end, complaint) < 0)
			return -EINVAL;
		const struct converter *converter = (*end)->converter;
		if (!is_convertible(expression->type, converter->from)) {
			text_printf(complaint, "'%s' is for %s, and here it would get %s", call.name,
				type_name(converter->from), type_name(expression->type));
			return -EINVAL;
		}
		expression->type = converter->to;
		end = &(*end)->next;
	}
	return 0;
}

int rule_expression_parse(struct rule_book *book, const char *text, struct rule_expression **ret_expression,
	struct text *complaint)
{
	struct rule_expression *expression = arena_alloc(book->arena, sizeof(*expression));
	if (fetch_parse(book, &text, expression, complaint) < 0 ||
		conversions_parse(book, text, expression, complaint) < 0)
		return -EINVAL;
	*ret_expression = expression;
	return 0;
}

enum sample_type rule_expression_type(const struct rule_expression *expression)
{
	return expression->type;
}

const struct fetch *rule_expression_fetch(const struct rule_expression *expression)
{
	return expression->fetch;
}

bool rule_expression_evaluate(
	const struct rule_expression *expression, struct rule_facts *facts, struct sample *ret_sample)
{
	memset(ret_sample, 0, sizeof(*ret_sample));
	if (!expression->fetch->take(facts, expression->fetch, &expression->arguments, ret_sample))
		return false;
	for (const struct conversion *step = expression->conversions; step != NULL; step = step->next) {
		if (step->converter->from == SAMPLE_TEXT)
			sample_to_text(ret_sample, facts->room);
		if (!step->converter->run(step, facts->room, ret_sample))
			return false;
	}
	return true;
}
