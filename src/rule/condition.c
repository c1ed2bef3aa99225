/* Conditions: any of several groups must hold, and of a group all terms. */
#include <errno.h>
#include <string.h>

#include "rule/acl_internal.h"
#include "rule/fetch.h"

enum { BRACE_WORDS_MAX = 256 };

struct choice {
	struct choice *next; /* of one name: any is enough */
	const struct rule_acl *acl;
};

struct term {
	struct term *next;
	struct choice *choices;
	bool is_negated;
};

struct group {
	struct group *next;
	struct term *terms;
};

struct rule_condition {
	struct group *groups;
	bool is_negated; /* unless */
};

bool rule_is_condition(const char *word)
{
	return strcmp(word, "if") == 0 || strcmp(word, "unless") == 0;
}

/* --- reading --- */

/* Where the next parts are linked. */
struct builder {
	struct rule_book *book;
	struct text *complaint;
	struct group **groups_end;
	struct term **terms_end;
};

static void group_begin(struct builder *builder)
{
	struct group *group = arena_alloc(builder->book->arena, sizeof(*group));
	*builder->groups_end = group;
	builder->groups_end = &group->next;
	builder->terms_end = &group->terms;
}

static void choice_add(struct builder *builder, struct term *term, const struct rule_acl *acl)
{
	struct choice *choice = arena_alloc(builder->book->arena, sizeof(*choice));
	choice->acl = acl;
	choice->next = term->choices;
	term->choices = choice;
}

/* "{ … }": *words is behind the opening brace, and ends behind the closing one. */
static const struct rule_acl *anonymous_parse(struct builder *builder, const char *const **words)
{
	const char *inside[BRACE_WORDS_MAX + 1];
	unsigned count = 0;
	for (; **words != NULL && strcmp(**words, "}") != 0; (*words)++) {
		if (count == BRACE_WORDS_MAX) {
			text_add(builder->complaint, "there are too many words in the braces");
			return NULL;
		}
		inside[count++] = **words;
	}
	if (**words == NULL) {
		text_add(builder->complaint, "the brace is not closed: '}' must stand as a word");
		return NULL;
	}
	inside[count] = NULL;
	(*words)++;
	return rule_acl_make(builder->book, "", inside, builder->complaint);
}

/* One or several '!' before a name or brace, with or without blanks. */
static const char *negations_take(const char *const **words, bool *ret_is_negated)
{
	const char *word = **words;
	while (word != NULL && *word == '!') {
		*ret_is_negated = !*ret_is_negated;
		word++;
		if (*word == '\0')
			word = *++*words;
	}
	return word;
}

static int term_parse(struct builder *builder, const char *const **words)
{
	bool is_negated = false;
	const char *word = negations_take(words, &is_negated);
	const struct rule_acl *acl = NULL;
	if (word == NULL) {
		text_add(builder->complaint, "an acl is missing at the end of the condition");
		return -EINVAL;
	}
	(*words)++;
	struct term *term = arena_alloc(builder->book->arena, sizeof(*term));
	term->is_negated = is_negated;
	if (strcmp(word, "{") == 0)
		acl = anonymous_parse(builder, words);
	else
		acl = rule_acl_find(builder->book, word, builder->complaint);
	if (acl == NULL)
		return -EINVAL;
	bool is_named = acl->name[0] != '\0';
	for (; acl != NULL; acl = is_named ? rule_acl_other(acl) : NULL)
		choice_add(builder, term, acl);
	*builder->terms_end = term;
	builder->terms_end = &term->next;
	return 0;
}

static bool is_or(const char *word)
{
	return strcmp(word, "or") == 0 || strcmp(word, "||") == 0;
}

int rule_condition_parse(struct rule_book *book, const char *const *words,
	struct rule_condition **ret_condition, struct text *complaint)
{
	struct rule_condition *condition = arena_alloc(book->arena, sizeof(*condition));
	struct builder builder = {book, complaint, &condition->groups, NULL};
	const char *first = words[0];
	condition->is_negated = strcmp(first, "unless") == 0;
	words++;
	group_begin(&builder);
	while (*words != NULL) {
		if (is_or(*words)) {
			if (words[-1] == first || is_or(words[-1]) || words[1] == NULL) {
				text_printf(complaint, "'%s' must stand between two acls", *words);
				return -EINVAL;
			}
			group_begin(&builder);
			words++;
			continue;
		}
		if (term_parse(&builder, &words) < 0)
			return -EINVAL;
	}
	if (condition->groups->terms == NULL) {
		text_printf(complaint, "'%s' needs a condition after it", first);
		return -EINVAL;
	}
	*ret_condition = condition;
	return 0;
}

/* --- asking --- */

static enum rule_answer opposite(enum rule_answer answer)
{
	return (enum rule_answer)(RULE_YES - answer);
}

static enum rule_answer acl_ask(const struct rule_acl *acl, struct rule_facts *facts)
{
	struct sample sample;
	if (rule_expression_evaluate(acl->expression, facts, &sample) &&
		pattern_set_find(acl->patterns, &sample, facts->room) != NULL)
		return RULE_YES;
	return sample.may_change && !facts->is_final ? RULE_LATER : RULE_NO;
}

static enum rule_answer term_ask(const struct term *term, struct rule_facts *facts)
{
	enum rule_answer best = RULE_NO;
	for (const struct choice *choice = term->choices; choice != NULL && best != RULE_YES;
		choice = choice->next) {
		enum rule_answer answer = acl_ask(choice->acl, facts);
		if (answer > best)
			best = answer;
	}
	return term->is_negated ? opposite(best) : best;
}

static enum rule_answer group_ask(const struct group *group, struct rule_facts *facts)
{
	enum rule_answer worst = RULE_YES;
	for (const struct term *term = group->terms; term != NULL && worst == RULE_YES; term = term->next)
		worst = term_ask(term, facts);
	return worst;
}

enum rule_answer rule_condition_evaluate(const struct rule_condition *condition, struct rule_facts *facts)
{
	enum rule_answer best = RULE_NO;
	if (condition == NULL)
		return RULE_YES;
	for (const struct group *group = condition->groups; group != NULL && best != RULE_YES;
		group = group->next) {
		enum rule_answer answer = group_ask(group, facts);
		if (answer > best)
			best = answer;
	}
	return condition->is_negated ? opposite(best) : best;
}

static const struct fetch *term_find(const struct term *term, bool (*test)(const struct fetch *fetch))
{
	for (const struct choice *choice = term->choices; choice != NULL; choice = choice->next) {
		const struct fetch *fetch = rule_expression_fetch(choice->acl->expression);
		if (test(fetch))
			return fetch;
	}
	return NULL;
}

const struct fetch *rule_condition_find(
	const struct rule_condition *condition, bool (*test)(const struct fetch *fetch))
{
	if (condition == NULL)
		return NULL;
	for (const struct group *group = condition->groups; group != NULL; group = group->next) {
		for (const struct term *term = group->terms; term != NULL; term = term->next) {
			const struct fetch *found = term_find(term, test);
			if (found != NULL)
				return found;
		}
	}
	return NULL;
}
