/* Values as statistics show them: a type, HAProxy's three letters about origin,
 * nature and scope, and the three ways to print them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum stat_type { STAT_NONE, STAT_U32, STAT_U64, STAT_S32, STAT_STRING };

enum { STAT_STRING_MAX = 192 };

struct stat_value {
	enum stat_type type; /* STAT_NONE: this object has no such value */
	uint64_t number; /* S32: as two's complement */
	char string[STAT_STRING_MAX];
};

static inline struct stat_value *stat_set_number(
	struct stat_value *value, enum stat_type type, uint64_t number)
{
	value->type = type;
	value->number = number;
	return value;
}

/* Copies; what is longer than STAT_STRING_MAX - 1 is cut. */
void stat_set_string(struct stat_value *value, const char *string);

/* The bare value; nothing for STAT_NONE. */
void stat_print_plain(const struct stat_value *value, struct text_grow *out);
/* A CSV field: quoted when it must be. */
void stat_print_csv(const struct stat_value *value, struct text_grow *out);
/* ":MGP:u32:5". */
void stat_print_typed(const struct stat_value *value, const char *tags, struct text_grow *out);
/* "processNum":1,"tags":{…},"value":{…} without braces around. */
void stat_print_json(const struct stat_value *value, const char *tags, struct text_grow *out);
/* A JSON string with its quotes. */
void stat_print_json_string(const char *string, struct text_grow *out);
/* number / 1000 with six decimals for units of milliseconds, else the number. */
void stat_print_metric(const struct stat_value *value, bool is_ms, struct text_grow *out);
