/* "fetch(arguments),converter(arguments),…": a value of the connection. */
#pragma once

#include "rule/book.h"
#include "rule/sample.h"

struct fetch;
struct rule_expression;

/* Compiles into the book's arena.  Returns 0, or -EINVAL with a sentence. */
int rule_expression_parse(struct rule_book *book, const char *text, struct rule_expression **ret_expression,
	struct text *complaint) MUST_USE;
enum sample_type rule_expression_type(const struct rule_expression *expression);
/* The row it begins with. */
const struct fetch *rule_expression_fetch(const struct rule_expression *expression);
/* False: there is no value, now or (see may_change) yet.  Texts lie in the facts or in
 * their room, until the room is used again. */
bool rule_expression_evaluate(
	const struct rule_expression *expression, struct rule_facts *facts, struct sample *ret_sample);
