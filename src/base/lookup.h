/* Name to value tables and the nearest known word to a misspelt one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lookup {
	const char *name;
	int value;
};

/* Returns true and the value, or false. */
bool lookup_value(const struct lookup *table, size_t rows, const char *name, int *ret_value);
/* NULL when no row has the value. */
const char *lookup_name(const struct lookup *table, size_t rows, int value);

/* Damerau-Levenshtein distance; LOOKUP_FAR when a word is longer than 64 bytes. */
enum { LOOKUP_FAR = 1000 };
unsigned lookup_distance(const char *a, const char *b);

/* The name nearest to a misspelt word, of names tried one after the other: `name` is NULL
 * while none is near enough to be meant. */
struct lookup_nearest {
	const char *word, *name;
	size_t word_len;
	unsigned distance; /* only a smaller one is better */
};
struct lookup_nearest lookup_nearest_begin(const char *word);
void lookup_nearest_try(struct lookup_nearest *nearest, const char *name);
