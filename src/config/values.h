/* Numbers, durations and sizes as people write them.  Pure: text in, value out. */
#pragma once

#include <stdint.h>

#include "base/status.h"

enum value_result { VALUE_OK, VALUE_INVALID, VALUE_TOO_LARGE, VALUE_TOO_SMALL };

/* Decimal digits only. */
enum value_result value_parse_count(const char *text, uint64_t *ret_value);
/* As above, with a sign allowed. */
enum value_result value_parse_signed(const char *text, int64_t *ret_value);
/* Bytes; k, m or g (either case) multiply by 1024, 1024², 1024³. */
enum value_result value_parse_size(const char *text, uint64_t *ret_bytes);

/* The longest duration: what fits in 31 bits of milliseconds, about 24.8 days. */
enum { VALUE_TIME_MS_MAX = 2147483647 };

/* us, ms, s, m, h or d; a bare number counts in bare_unit_us microseconds.
 * Rounded up to milliseconds, but what is above zero and below one millisecond
 * is VALUE_TOO_SMALL. */
enum value_result value_parse_time(const char *text, uint64_t bare_unit_us, uint32_t *ret_ms);
