/* Bounded string builder over the caller's storage.  Always terminated; what
 * does not fit is cut and remembered, never written. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct text {
	char *start;
	size_t size; /* of the storage, with the terminator */
	size_t len;
	bool is_cut; /* something did not fit */
};

/* size must be at least 1. */
void text_init(struct text *text, char *storage, size_t size);
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t len);
void text_add_char(struct text *text, char character);
void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_vprintf(struct text *text, const char *format, va_list arguments);

/* Growing variant for control-plane output: doubles heap storage up to
 * bytes_max, then behaves as cut (nothing is added after the cut).  start is
 * NULL until the first addition.  text_grow_release() frees; NULL-safe. */
struct text_grow {
	char *start;
	size_t size, len, bytes_max;
	bool is_cut; /* bytes_max reached or no memory */
};
void text_grow_init(struct text_grow *text, size_t bytes_max);
void text_grow_add(struct text_grow *text, const char *string);
void text_grow_add_bytes(struct text_grow *text, const char *bytes, size_t len);
void text_grow_printf(struct text_grow *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_grow_release(struct text_grow *text);
