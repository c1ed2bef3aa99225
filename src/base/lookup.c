/* Tables of names, and how far apart two words are. */
#include "base/lookup.h"

#include <string.h>

enum { WORD_MAX = 64 };

bool lookup_value(const struct lookup *table, size_t rows, const char *name, int *ret_value)
{
	for (size_t i = 0; i < rows; i++) {
		if (strcmp(table[i].name, name) == 0) {
			*ret_value = table[i].value;
			return true;
		}
	}
	return false;
}

const char *lookup_name(const struct lookup *table, size_t rows, int value)
{
	for (size_t i = 0; i < rows; i++) {
		if (table[i].value == value)
			return table[i].name;
	}
	return NULL;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Restricted edit distance: insert, delete, replace, swap of neighbours cost 1.
 * Only the last three rows of the matrix are kept. */
unsigned lookup_distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, WORD_MAX + 1), b_len = strnlen(b, WORD_MAX + 1);
	unsigned rows[3][WORD_MAX + 1] = {{0}};

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return LOOKUP_FAR;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;

	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3], *above_two = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = smaller(above[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], above_two[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

/* About every fourth letter may be wrong, but not all of a short word. */
struct lookup_nearest lookup_nearest_begin(const char *word)
{
	size_t len = strlen(word);
	unsigned allowed = 1 + (unsigned)(len < 64 ? len / 4 : 16);

	return (struct lookup_nearest){
		.word = word, .word_len = len, .distance = allowed < len ? allowed + 1 : (unsigned)len};
}

void lookup_nearest_try(struct lookup_nearest *nearest, const char *name)
{
	size_t len = strlen(name);
	size_t difference = len > nearest->word_len ? len - nearest->word_len : nearest->word_len - len;
	unsigned distance;

	/* The distance is never less than the difference in length. */
	if (difference >= nearest->distance)
		return;
	distance = lookup_distance(name, nearest->word);
	if (distance >= nearest->distance)
		return;
	nearest->distance = distance;
	nearest->name = name;
}
