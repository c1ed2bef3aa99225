/* Recursive descent over one line; the depth of parentheses is bounded. */
#include "config/condition.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { PARENTHESES_MAX = 32, ARGUMENT_BYTES_MAX = 1024 };

struct evaluation {
	const char *at;
	const struct environment *environment;
	const char *reason; /* set: it has failed */
	unsigned depth;
};

typedef bool predicate_function(struct evaluation *evaluation, const char *first, const char *second);

static bool expression(struct evaluation *evaluation);

static bool fail(struct evaluation *evaluation, const char *reason)
{
	if (evaluation->reason == NULL)
		evaluation->reason = reason;
	return false;
}

static void skip_blanks(struct evaluation *evaluation)
{
	while (*evaluation->at == ' ' || *evaluation->at == '\t')
		evaluation->at++;
}

/* What this program has, in the names HAProxy uses, and its own. */
static const char *const features[] = {"ACCEPT4", "CPU_AFFINITY", "EPOLL", "GETADDRINFO", "LINUX_SPLICE",
	"LINUX_TPROXY", "SPLICED", "TFO", "THREAD"};
static const char *const enabled_names[] = {"EPOLL", "GETADDRINFO", "REUSEPORT", "SPLICE"};

static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* "2.6-dev3" → {2, 6, 0, 3}; a release counts as a very late dev. */
struct version {
	unsigned long parts[4];
};

static bool version_parse(const char *text, struct version *ret_version)
{
	struct version version = {{0, 0, 0, 1000000}};
	char *rest;

	for (unsigned i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)*text))
			return false;
		version.parts[i] = strtoul(text, &rest, 10);
		text = rest;
		if (*text != '.')
			break;
		text++;
	}
	if (strncmp(text, "-dev", 4) == 0) {
		version.parts[3] = strtoul(text + 4, &rest, 10);
		text = rest;
	}
	*ret_version = version;
	return *text == '\0' || *text == '-';
}

/* -1, 0 or 1 as our language is older than, equal to or newer than the text. */
static int version_compare(struct evaluation *evaluation, const char *text)
{
	struct version ours, theirs;

	CHECK(version_parse(CONDITION_LANGUAGE_VERSION, &ours));
	if (!version_parse(text, &theirs)) {
		fail(evaluation, "a version looks like 2.6, 2.6.1 or 2.6-dev3");
		return 0;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (ours.parts[i] != theirs.parts[i])
			return ours.parts[i] < theirs.parts[i] ? -1 : 1;
	}
	return 0;
}

static bool is_defined(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)second;
	return environment_get(evaluation->environment, first, strlen(first)) != NULL;
}

static bool has_feature(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)evaluation;
	(void)second;
	return is_listed(features, ARRAY_LENGTH(features), first);
}

static bool is_enabled(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)evaluation;
	(void)second;
	return is_listed(enabled_names, ARRAY_LENGTH(enabled_names), first);
}

static bool is_equal(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)evaluation;
	return strcmp(first, second) == 0;
}

static bool is_different(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)evaluation;
	return strcmp(first, second) != 0;
}

static bool is_version_atleast(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)second;
	return version_compare(evaluation, first) >= 0;
}

static bool is_version_before(struct evaluation *evaluation, const char *first, const char *second)
{
	(void)second;
	return version_compare(evaluation, first) < 0;
}

static const struct predicate {
	const char *name;
	unsigned arguments;
	predicate_function *function;
} predicates[] = {
	{"defined", 1, is_defined},
	{"feature", 1, has_feature},
	{"enabled", 1, is_enabled},
	{"streq", 2, is_equal},
	{"strneq", 2, is_different},
	{"version_atleast", 1, is_version_atleast},
	{"version_before", 1, is_version_before},
};

/* Copies up to the given end character and steps over it. */
static bool argument_take(struct evaluation *evaluation, char end, char *ret_argument)
{
	size_t len = strcspn(evaluation->at, ",)");

	if (evaluation->at[len] != end)
		return fail(evaluation,
			end == ',' ? "the predicate needs two arguments: (a,b)"
				   : "the predicate's arguments must end with ')'");
	if (len >= ARGUMENT_BYTES_MAX)
		return fail(evaluation, "an argument is longer than 1023 bytes");
	memcpy(ret_argument, evaluation->at, len);
	ret_argument[len] = '\0';
	evaluation->at += len + 1;
	return true;
}

static bool predicate_run(struct evaluation *evaluation, const struct predicate *predicate)
{
	char first[ARGUMENT_BYTES_MAX], second[ARGUMENT_BYTES_MAX] = "";

	if (!argument_take(evaluation, predicate->arguments == 2 ? ',' : ')', first))
		return false;
	if (predicate->arguments == 2 && !argument_take(evaluation, ')', second))
		return false;
	return predicate->function(evaluation, first, second);
}

/* A word: a number, true, false, or a predicate with its arguments. */
static bool word(struct evaluation *evaluation)
{
	const char *start = evaluation->at;
	size_t len = 0;

	while (isalnum((unsigned char)start[len]) || start[len] == '_')
		len++;
	if (len == 0)
		return fail(evaluation, "a condition is missing");
	if (start[len] == '(') {
		for (size_t i = 0; i < ARRAY_LENGTH(predicates); i++) {
			if (strlen(predicates[i].name) == len &&
				strncmp(start, predicates[i].name, len) == 0) {
				evaluation->at = start + len + 1;
				return predicate_run(evaluation, &predicates[i]);
			}
		}
		return fail(evaluation,
			"the predicate is not known; there are defined, feature, enabled, streq, strneq, version_atleast and version_before");
	}
	evaluation->at = start + len;
	if (strspn(start, "0123456789") >= len)
		return strspn(start, "0") < len;
	if (len == 4 && strncmp(start, "true", 4) == 0)
		return true;
	if (len == 5 && strncmp(start, "false", 5) == 0)
		return false;
	return fail(evaluation, "a condition is a number, true, false or a predicate");
}

static bool term(struct evaluation *evaluation)
{
	bool is_negated = false, value;

	skip_blanks(evaluation);
	for (; *evaluation->at == '!'; skip_blanks(evaluation)) {
		is_negated = !is_negated;
		evaluation->at++;
	}
	if (*evaluation->at != '(')
		return word(evaluation) != is_negated;
	if (evaluation->depth++ == PARENTHESES_MAX)
		return fail(evaluation, "more than 32 parentheses inside each other");
	evaluation->at++;
	value = expression(evaluation);
	skip_blanks(evaluation);
	if (*evaluation->at != ')')
		return fail(evaluation, "a parenthesis is not closed");
	evaluation->at++;
	evaluation->depth--;
	return value != is_negated;
}

static bool conjunction(struct evaluation *evaluation)
{
	bool value = term(evaluation);

	for (;;) {
		skip_blanks(evaluation);
		if (evaluation->reason != NULL || strncmp(evaluation->at, "&&", 2) != 0)
			return value;
		evaluation->at += 2;
		value = term(evaluation) && value;
	}
}

static bool expression(struct evaluation *evaluation)
{
	bool value = conjunction(evaluation);

	for (;;) {
		skip_blanks(evaluation);
		if (evaluation->reason != NULL || strncmp(evaluation->at, "||", 2) != 0)
			return value;
		evaluation->at += 2;
		value = conjunction(evaluation) || value;
	}
}

int condition_evaluate(
	const char *text, const struct environment *environment, bool *ret_value, const char **ret_reason)
{
	struct evaluation evaluation = {.at = text, .environment = environment};
	bool value = false;

	skip_blanks(&evaluation);
	if (*evaluation.at != '\0')
		value = expression(&evaluation);
	skip_blanks(&evaluation);
	if (evaluation.reason == NULL && *evaluation.at != '\0')
		fail(&evaluation, "something follows the condition's end");
	if (evaluation.reason != NULL) {
		*ret_reason = evaluation.reason;
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}
