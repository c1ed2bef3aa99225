/* Texts, each with a value: found as a whole, as the beginning or end of another, or
 * between its delimiters, by hashes.  Where several fit, the longest is found. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct text_set;

enum text_place {
	TEXT_WHOLE,
	TEXT_BEGINNING,
	TEXT_END,
	TEXT_BETWEEN, /* delimiters, or the text's ends */
};

/* delimiters: of TEXT_BETWEEN, static. */
struct text_set_options {
	enum text_place place;
	bool ignores_case; /* of ASCII letters */
	const char *delimiters;
};
struct text_set *text_set_create(struct arena *arena, const struct text_set_options *options);
/* Of two equal texts the first stays.  Both texts live as long as the arena. */
void text_set_add(struct text_set *set, const char *text, size_t len, const char *value);
/* Once, after the last one was added and before the first is looked for. */
void text_set_finish(struct text_set *set);
/* The value, or NULL. */
const char *text_set_find(const struct text_set *set, const char *text, size_t len);
