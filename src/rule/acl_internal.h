/* What the files of acls and conditions tell only each other. */
#pragma once

#include "rule/acl.h"
#include "rule/expression.h"
#include "rule/pattern.h"

struct rule_acl {
	struct rule_acl *next; /* in the book, the one above it */
	const char *name; /* "" for one in braces */
	struct rule_expression *expression;
	struct pattern_set *patterns;
};

/* NULL after a sentence. */
struct rule_acl *rule_acl_make(
	struct rule_book *book, const char *name, const char *const *words, struct text *complaint);
/* The last of that name; NULL after a sentence. */
const struct rule_acl *rule_acl_find(struct rule_book *book, const char *name, struct text *complaint);
/* The next one of the same name, or NULL. */
const struct rule_acl *rule_acl_other(const struct rule_acl *acl);
