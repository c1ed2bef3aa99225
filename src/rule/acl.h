/* Named questions, "acl NAME FETCH [flags] values", and the conditions made of them. */
#pragma once

#include "rule/book.h"

struct fetch;
struct rule_condition;

/* Whether something holds.  In the order of what wins where one of several is enough. */
enum rule_answer {
	RULE_NO,
	RULE_LATER, /* more bytes may decide */
	RULE_YES,
};

/* Adds an acl of this name to the book: words are the fetch, flags and values.  Several of
 * one name are one, any of which is enough.  Returns 0, or -EINVAL with a sentence. */
int rule_acl_add(
	struct rule_book *book, const char *name, const char *const *words, struct text *complaint) MUST_USE;

/* Compiles all words, "if …" or "unless …".  Acls must be in the book before, or be one of
 * those that are always there; anonymous ones stand in braces.  Returns 0, or -EINVAL with
 * a sentence. */
int rule_condition_parse(struct rule_book *book, const char *const *words,
	struct rule_condition **ret_condition, struct text *complaint) MUST_USE;
/* NULL holds always.  RULE_LATER only while the facts are not final. */
enum rule_answer rule_condition_evaluate(const struct rule_condition *condition, struct rule_facts *facts);
/* A fetch in it for which the test is true, or NULL. */
const struct fetch *rule_condition_find(
	const struct rule_condition *condition, bool (*test)(const struct fetch *fetch));

/* "if" or "unless". */
bool rule_is_condition(const char *word);
