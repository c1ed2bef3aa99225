/* Parsers of numbers with units. */
#include "config/values.h"

#include <string.h>

/* Reads the leading digits; *ret_rest is what follows them. */
static enum value_result digits_parse(const char *text, uint64_t *ret_value, const char **ret_rest)
{
	uint64_t value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (value > (UINT64_MAX - 9) / 10)
			return VALUE_TOO_LARGE;
		value = value * 10 + (uint64_t)(*at - '0');
	}
	if (at == text)
		return VALUE_INVALID;
	*ret_value = value;
	*ret_rest = at;
	return VALUE_OK;
}

enum value_result value_parse_count(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	const char *rest;
	enum value_result result = digits_parse(text, &value, &rest);

	if (result != VALUE_OK)
		return result;
	if (*rest != '\0')
		return VALUE_INVALID;
	*ret_value = value;
	return VALUE_OK;
}

enum value_result value_parse_signed(const char *text, int64_t *ret_value)
{
	uint64_t value;
	int is_negative = *text == '-';
	enum value_result result = value_parse_count(text + (is_negative || *text == '+'), &value);

	if (result != VALUE_OK)
		return result;
	if (value > INT64_MAX)
		return VALUE_TOO_LARGE;
	*ret_value = is_negative ? -(int64_t)value : (int64_t)value;
	return VALUE_OK;
}

static int size_shift(const char *suffix)
{
	static const char letters[] = "kKmMgG";
	const char *found;

	if (suffix[0] == '\0')
		return 0;
	found = strchr(letters, suffix[0]);
	if (found == NULL || suffix[1] != '\0')
		return -1;
	return (int)(found - letters) / 2 * 10 + 10;
}

enum value_result value_parse_size(const char *text, uint64_t *ret_bytes)
{
	uint64_t value;
	const char *rest;
	enum value_result result = digits_parse(text, &value, &rest);
	int shift;

	if (result != VALUE_OK)
		return result;
	shift = size_shift(rest);
	if (shift < 0)
		return VALUE_INVALID;
	if (value > UINT64_MAX >> shift)
		return VALUE_TOO_LARGE;
	*ret_bytes = value << shift;
	return VALUE_OK;
}

static const struct time_unit {
	const char *name;
	uint64_t us;
} time_units[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", 1000 * 1000},
	{"m", 60ULL * 1000 * 1000},
	{"h", 3600ULL * 1000 * 1000},
	{"d", 86400ULL * 1000 * 1000},
};

/* 0 for an unknown unit. */
static uint64_t unit_us(const char *name, uint64_t bare_unit_us)
{
	if (*name == '\0')
		return bare_unit_us;
	for (size_t i = 0; i < ARRAY_LENGTH(time_units); i++) {
		if (strcmp(name, time_units[i].name) == 0)
			return time_units[i].us;
	}
	return 0;
}

enum value_result value_parse_time(const char *text, uint64_t bare_unit_us, uint32_t *ret_ms)
{
	const uint64_t us_max = (uint64_t)VALUE_TIME_MS_MAX * 1000;
	uint64_t value, unit;
	const char *rest;
	enum value_result result = digits_parse(text, &value, &rest);

	if (result != VALUE_OK)
		return result;
	unit = unit_us(rest, bare_unit_us);
	if (unit == 0)
		return VALUE_INVALID;
	if (value > us_max / unit)
		return VALUE_TOO_LARGE;
	if (value > 0 && value * unit < 1000)
		return VALUE_TOO_SMALL;
	*ret_ms = (uint32_t)((value * unit + 999) / 1000);
	return VALUE_OK;
}
