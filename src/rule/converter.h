/* What can be made of a value: one row a name. */
#pragma once

#include "rule/book.h"
#include "rule/pattern.h"
#include "rule/sample.h"

/* A converter with its arguments, read. */
struct conversion {
	struct conversion *next;
	const struct converter *converter;
	int64_t numbers[2];
	const char *text; /* delimiters, or what a map gives for what it lacks; NULL: none */
	const struct pattern_set *map;
};

struct converter {
	const char *name, *alias; /* alias NULL: none */
	const char *arguments; /* as the manual shows them; NULL: none */
	enum sample_type from, to; /* from TEXT: anything that can be written */
	enum rule_match match; /* of maps */
	/* Reads the call's arguments; false: they are wrong, with a sentence in the complaint or
	 * none.  NULL: takes none. */
	bool (*parse)(struct rule_book *book, const struct rule_call *call, struct conversion *conversion,
		struct text *complaint);
	/* False: nothing comes of it. */
	bool (*run)(const struct conversion *conversion, struct rule_room *room, struct sample *sample);
	const char *sentence;
};

/* Terminated by a row without name. */
extern const struct converter converters[];
const struct converter *converter_find(const char *name);
const char *converter_nearest(const char *name);
/* Returns 0, or -EINVAL with a sentence. */
int conversion_parse(struct rule_book *book, const struct rule_call *call, struct conversion **ret_conversion,
	struct text *complaint) MUST_USE;
