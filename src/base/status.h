/* Errors are ints: 0 or a negative errno.  What may be refused by the world is
 * marked so that the compiler insists on an answer. */
#pragma once

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

#define ARRAY_LENGTH(array)    (sizeof(array) / sizeof((array)[0]))
