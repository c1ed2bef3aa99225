/* Ranges of numbers: whether a number is in one of them, in O(log n). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct number_set;

/* How the numbers that follow are meant: "eq", "ge", "gt", "le", "lt". */
enum number_operator { NUMBER_EQ, NUMBER_GE, NUMBER_GT, NUMBER_LE, NUMBER_LT };

struct number_set *number_set_create(struct arena *arena);
/* "N", or with NUMBER_EQ also "N:N", ":N" and "N:", signed; with dots, "3.1" is 3 · 65536 + 1
 * as versions of TLS are counted.  Returns 0, or -EINVAL. */
int number_set_add(struct number_set *set, enum number_operator way, const char *text) MUST_USE;
/* Once, after the last one was added and before the first is looked for. */
void number_set_finish(struct number_set *set);
bool number_set_has(const struct number_set *set, int64_t number);
