/* Conditions and expressions as arguments of keywords.  Mistakes are reported by these
 * functions.  Private to config/. */
#pragma once

#include "config/keyword.h"
#include "rule/acl.h"
#include "rule/expression.h"

/* keyword: for messages. */
int rule_words_expression(struct parser *parser, const char *keyword, const char *word,
	struct rule_expression **ret_expression) MUST_USE;
/* What is left of the line from words[at] on: nothing (*ret_condition is NULL then), or
 * "if …" or "unless …".  Returns 0, or -EINVAL. */
int rule_words_condition(struct parser *parser, const struct statement *statement, unsigned at,
	const struct rule_condition **ret_condition) MUST_USE;
/* "plain", or with "%[expression]" in it: *ret_parts is NULL when it is plain. */
int rule_words_name(struct parser *parser, const struct statement *statement, const char *word,
	const struct config_name_part **ret_parts) MUST_USE;
/* Handler of 'acl'. */
int rule_words_parse_acl(struct parser *parser, const struct statement *statement);
