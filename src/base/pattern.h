/* Regular expressions (PCRE2) with bounds: on the length of the expression, and on the
 * work and the memory that one match may take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
	PATTERN_BYTES_MAX = 1024,
	PATTERN_STEPS_MAX = 200000, /* of one match, as PCRE2 counts them */
	PATTERN_DEPTH_MAX = 1000,
	PATTERN_HEAP_KIB_MAX = 1024,
};

struct pattern;

/* Takes the memory of the pattern, which the caller frees as a whole; never NULL. */
struct pattern_memory {
	void *(*alloc)(size_t bytes, void *context);
	void *context;
};

/* Bytes count, not characters.  Returns 0, or -EINVAL with the reason, and where in
 * the text, in ret_reason.  The memory must live as long as the pattern. */
int pattern_compile(const char *text, const struct pattern_memory *memory, struct pattern **ret_pattern,
	char *ret_reason, size_t reason_size) MUST_USE;

enum pattern_answer { PATTERN_MATCHES, PATTERN_DIFFERS, PATTERN_TOO_DEAR };

/* Any thread.  TOO_DEAR: a bound was met, so that it is not known. */
enum pattern_answer pattern_match(const struct pattern *pattern, const uint8_t *bytes, size_t len) MUST_USE;
