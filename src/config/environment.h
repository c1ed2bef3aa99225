/* Environment variables as the configuration sees them: the process's own, and
 * what setenv and its kin changed.  The process's environment is never written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct environment {
	struct environment_entry *entries;
	bool is_process_hidden; /* after resetenv only entries count */
};

/* Value or NULL.  name need not be terminated. */
const char *environment_get(const struct environment *environment, const char *name, size_t len);
/* Copies both into the arena; value NULL: the variable does not exist any more. */
void environment_set(
	struct environment *environment, struct arena *arena, const char *name, const char *value);
/* Forgets everything but the named variables. */
void environment_reset(
	struct environment *environment, struct arena *arena, const char *const *kept, unsigned count);
