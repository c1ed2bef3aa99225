/* Numbers as the flags of all commands carry them: whole ones, sizes, decimals.
 * Nothing stands before or behind a number, no blank and no sign.  On false
 * nothing is written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* The digits at the beginning of a text; *ret_end is what follows them. */
bool number_begin(const char *text, const char **ret_end, uint64_t *ret_value) MUST_USE;
/* A whole decimal number in min..max. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value) MUST_USE;
/* A whole number of bytes in min..max, with k, m or g behind it, large or small,
 * for KiB, MiB or GiB. */
bool number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value) MUST_USE;
/* A number in min..max that may have a point and an exponent: 3, 0.25, .5, 1e6. */
bool number_parse_decimal(const char *text, double min, double max, double *ret_value) MUST_USE;
