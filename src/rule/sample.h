/* A value that was taken from a connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

enum sample_type { SAMPLE_BOOL, SAMPLE_INTEGER, SAMPLE_ADDRESS, SAMPLE_TEXT };

struct sample {
	enum sample_type type;
	/* Another answer is possible when more bytes are there, also where there was none. */
	bool may_change;
	int64_t number; /* BOOL: 0 or 1 */
	struct endpoint address; /* the port counts for nothing */
	const char *text; /* any bytes, not terminated */
	size_t len;
};

static inline void sample_set_bool(struct sample *sample, bool value)
{
	sample->type = SAMPLE_BOOL;
	sample->number = value;
}

static inline void sample_set_integer(struct sample *sample, int64_t value)
{
	sample->type = SAMPLE_INTEGER;
	sample->number = value;
}

static inline void sample_set_text(struct sample *sample, const void *text, size_t len)
{
	sample->type = SAMPLE_TEXT;
	sample->text = text;
	sample->len = len;
}
