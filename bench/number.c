/* The parsers of number.h. */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	char letter;
	unsigned shift;
} suffixes[] = {{'k', 10}, {'m', 20}, {'g', 30}};

static bool is_digit(char character)
{
	return isdigit((unsigned char)character) != 0;
}

bool number_begin(const char *text, const char **ret_end, uint64_t *ret_value)
{
	char *end;
	unsigned long long value;

	/* strtoull(3) takes blanks and signs, too. */
	if (!is_digit(text[0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	*ret_end = end;
	*ret_value = value;
	return true;
}

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;

	if (!number_begin(text, &end, &value) || *end != '\0' || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

bool number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	unsigned shift = 0;

	if (!number_begin(text, &end, &value))
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++)
		if (tolower((unsigned char)*end) == suffixes[i].letter)
			shift = suffixes[i].shift;
	if (end[shift > 0] != '\0' || value > max >> shift || value << shift < min)
		return false;
	*ret_value = value << shift;
	return true;
}

bool number_parse_decimal(const char *text, double min, double max, double *ret_value)
{
	char *end;
	double value;

	/* strtod(3) takes blanks, signs, words and hexadecimal digits, too. */
	if (!is_digit(text[0]) && text[0] != '.')
		return false;
	if (strpbrk(text, "xX") != NULL)
		return false;
	value = strtod(text, &end);
	/* One too large for a double is infinite, so above each maximum. */
	if (*end != '\0' || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}
