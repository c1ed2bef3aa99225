/* Pool of equal objects for one thread.  Grows by chunks up to a limit set at
 * start, keeps what it has, says no (counted) when the limit or memory is
 * reached.  Objects come zeroed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pool {
	size_t object_bytes;
	uint32_t objects_max; /* 0: no limit but memory */
	uint32_t used, allocated;
	uint64_t refusals;
	void *free_list;
	void *chunks;
};

void pool_init(struct pool *pool, size_t object_bytes, uint32_t objects_max);
/* NULL when the limit or the machine's memory is reached; counted in refusals. */
void *pool_get(struct pool *pool);
/* object must come from this pool; NULL is allowed. */
void pool_put(struct pool *pool, void *object);
/* CHECKs that every object was returned. */
void pool_release(struct pool *pool);
