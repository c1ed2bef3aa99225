/* What a value is compared with: one set of patterns, of one way to compare. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "rule/facts.h"
#include "rule/sample.h"

/* As '-m' names them. */
enum rule_match {
	MATCH_FOUND,
	MATCH_BOOL,
	MATCH_INT,
	MATCH_IP,
	MATCH_BIN,
	MATCH_STR,
	MATCH_BEG,
	MATCH_END,
	MATCH_SUB,
	MATCH_DIR,
	MATCH_DOM,
	MATCH_REG,
	MATCH_LEN,
	MATCHES,
};

struct match_row {
	const char *name;
	bool takes_patterns;
	bool (*fits)(enum sample_type type);
	const char *sentence; /* for the manual */
};
extern const struct match_row match_rows[MATCHES];

struct pattern_set;

struct pattern_set *pattern_set_create(struct arena *arena, enum rule_match match, bool ignores_case);
/* The texts live as long as the arena.  Returns 0, or -EINVAL with a sentence that says
 * what is wrong with the pattern. */
int pattern_set_add(
	struct pattern_set *set, const char *pattern, const char *value, struct text *complaint) MUST_USE;
/* Of MATCH_INT and MATCH_LEN: "ge" and the like, for the patterns that follow.  False:
 * it is no such word. */
bool pattern_set_operator(struct pattern_set *set, const char *word);
/* Once, after the last pattern and before the first look-up. */
void pattern_set_finish(struct pattern_set *set);
/* The value of a pattern that the sample has, or NULL; "" for numbers.  Immutable: several
 * threads may look. */
const char *pattern_set_find(
	const struct pattern_set *set, const struct sample *sample, struct rule_room *room);

/* The sample as text, in the room unless it is one already. */
void sample_to_text(struct sample *sample, struct rule_room *room);
