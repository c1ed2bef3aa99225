/* Memory of one configuration: handed out piece by piece, given back all at once. */
#pragma once

#include <setjmp.h>
#include <stddef.h>

#include "base/status.h"

enum { ARENA_BYTES_MAX = 256 * 1024 * 1024 };

struct arena {
	struct arena_chunk *chunks;
	size_t bytes; /* of all chunks */
	/* Where a refused allocation continues.  Whoever fills the arena sets it with
	 * setjmp() first and has its own resources reachable from outside the call. */
	jmp_buf on_exhausted;
};

/* NULL when the machine's memory is exhausted. */
struct arena *arena_create(void);
/* NULL is allowed. */
void arena_destroy(struct arena *arena);

/* Zeroed and aligned for any type.  Never NULL: without memory, or beyond
 * ARENA_BYTES_MAX, control continues at on_exhausted. */
void *arena_alloc(struct arena *arena, size_t bytes);
char *arena_copy(struct arena *arena, const char *string);
char *arena_copy_bytes(struct arena *arena, const char *bytes, size_t len);
