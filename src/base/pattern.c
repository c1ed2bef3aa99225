/* Regular expressions by PCRE2, within bounds. */
#include "base/pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pattern {
	struct pattern_memory memory;
	pcre2_code *code;
	pcre2_match_context *limits;
};

static void *memory_take(PCRE2_SIZE bytes, void *context)
{
	const struct pattern_memory *memory = context;
	return memory->alloc(bytes, memory->context);
}

/* It goes with the whole. */
static void memory_keep(void *bytes, void *context)
{
	(void)bytes;
	(void)context;
}

static pcre2_code *code_make(const char *text, pcre2_general_context *general, char *ret_reason, size_t size)
{
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	int error = 0;
	PCRE2_SIZE at = 0;
	pcre2_set_max_pattern_length(context, PATTERN_BYTES_MAX);
	pcre2_code *code = pcre2_compile(
		(PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C, &error, &at, context);
	if (code == NULL) {
		PCRE2_UCHAR words[128];
		pcre2_get_error_message(error, words, sizeof(words));
		snprintf(ret_reason, size, "%s, at character %zu", (const char *)words, at + 1);
	}
	return code;
}

int pattern_compile(const char *text, const struct pattern_memory *memory, struct pattern **ret_pattern,
	char *ret_reason, size_t reason_size)
{
	struct pattern *pattern = memory->alloc(sizeof(*pattern), memory->context);
	*pattern = (struct pattern){.memory = *memory};
	pcre2_general_context *general =
		pcre2_general_context_create(memory_take, memory_keep, &pattern->memory);
	pattern->code = code_make(text, general, ret_reason, reason_size);
	if (pattern->code == NULL)
		return -EINVAL;
	pattern->limits = pcre2_match_context_create(general);
	pcre2_set_match_limit(pattern->limits, PATTERN_STEPS_MAX);
	pcre2_set_depth_limit(pattern->limits, PATTERN_DEPTH_MAX);
	pcre2_set_heap_limit(pattern->limits, PATTERN_HEAP_KIB_MAX);
	*ret_pattern = pattern;
	return 0;
}

/* The data of one match lies in memory that ends with it. */
enum pattern_answer pattern_match(const struct pattern *pattern, const uint8_t *bytes, size_t len)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	if (data == NULL)
		return PATTERN_TOO_DEAR;
	int result = pcre2_match(pattern->code, bytes, len, 0, 0, data, pattern->limits);
	pcre2_match_data_free(data);
	if (result >= 0)
		return PATTERN_MATCHES;
	return result == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_TOO_DEAR;
}
