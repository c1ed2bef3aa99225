/* What is being collected while the rules of one configuration section are read. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "rule/facts.h"

struct rule_acl;

struct rule_book {
	struct arena *arena; /* all that is compiled lives in it */
	struct rule_acl *acls;
	struct rule_reference *references;
	const void *origin; /* of what is read now; kept with the references */
	bool has_no_files; /* lists and maps are refused (fuzzing) */
};

enum { RULE_ARGUMENTS_MAX = 4 };

/* "name(argument,argument)": its parts, in the arena. */
struct rule_call {
	const char *name;
	const char *arguments[RULE_ARGUMENTS_MAX];
	unsigned count;
};
/* Reads one call and steps behind it, up to a comma or the end.  Arguments may be quoted
 * by ' or ", and a backslash takes the next character as it is.  Returns 0, or -EINVAL
 * with a sentence. */
int rule_call_parse(
	struct rule_book *book, const char **at, struct rule_call *ret_call, struct text *complaint) MUST_USE;
/* Whole decimal numbers, with a sign. */
bool rule_number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number);

/* A file's lines, each in the arena and without blanks around it; empty ones and those
 * that begin with '#' are left out.  Calls on_line for each; returns 0, or -EINVAL with
 * a sentence that names the file. */
struct rule_lines {
	int (*on_line)(struct rule_lines *lines, char *line, struct text *complaint);
};
int rule_lines_read(
	struct rule_book *book, const char *path, struct rule_lines *lines, struct text *complaint) MUST_USE;
