/* Chunks of equal objects, handed out one by one; chunks are freed only with the pool. */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_HAS_ASAN 1
#endif

#ifdef POOL_HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes)   ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

enum {
	OBJECT_ALIGNMENT = 16,
	CHUNK_OBJECTS_MAX = 64,
	CHUNK_BYTES_AIM = 256 * 1024, /* large objects come in smaller chunks */
};

/* Its objects follow it.  They are carved off one at a time, so that memory which
 * was never needed is never touched. */
struct chunk {
	struct chunk *next;
	uint32_t objects, carved;
} __attribute__((aligned(OBJECT_ALIGNMENT)));

struct free_object {
	struct free_object *next;
};

void pool_init(struct pool *pool, size_t object_bytes, uint32_t objects_max)
{
	CHECK(object_bytes > 0);
	*pool = (struct pool){
		.object_bytes = (object_bytes + OBJECT_ALIGNMENT - 1) & ~(size_t)(OBJECT_ALIGNMENT - 1),
		.objects_max = objects_max,
	};
}

static struct chunk *chunk_add(struct pool *pool)
{
	size_t objects = CHUNK_BYTES_AIM / pool->object_bytes;
	struct chunk *chunk;

	if (objects > CHUNK_OBJECTS_MAX)
		objects = CHUNK_OBJECTS_MAX;
	if (pool->objects_max && objects > pool->objects_max - pool->allocated)
		objects = pool->objects_max - pool->allocated;
	if (objects == 0)
		objects = 1;

	chunk = malloc(sizeof(*chunk) + objects * pool->object_bytes);
	if (!chunk)
		return NULL;
	chunk->next = pool->chunks;
	chunk->objects = (uint32_t)objects;
	chunk->carved = 0;
	ASAN_POISON_MEMORY_REGION(chunk + 1, objects * pool->object_bytes);
	pool->chunks = chunk;
	pool->allocated += chunk->objects;
	return chunk;
}

static void *object_take(struct pool *pool)
{
	struct free_object *object = pool->free_list;
	struct chunk *chunk = pool->chunks;

	if (object) {
		ASAN_UNPOISON_MEMORY_REGION(object, pool->object_bytes);
		pool->free_list = object->next;
		return object;
	}
	if (!chunk || chunk->carved == chunk->objects)
		chunk = chunk_add(pool);
	if (!chunk)
		return NULL;
	object = (void *)((char *)(chunk + 1) + chunk->carved++ * pool->object_bytes);
	ASAN_UNPOISON_MEMORY_REGION(object, pool->object_bytes);
	return object;
}

void *pool_get(struct pool *pool)
{
	void *object = NULL;

	if (pool->objects_max == 0 || pool->used < pool->objects_max)
		object = object_take(pool);
	if (!object) {
		pool->refusals++;
		return NULL;
	}
	pool->used++;
	return memset(object, 0, pool->object_bytes);
}

__attribute__((unused)) static int chunk_owns(const struct pool *pool, const void *object)
{
	for (const struct chunk *chunk = pool->chunks; chunk; chunk = chunk->next) {
		const char *first = (const char *)(chunk + 1);
		size_t at = (size_t)((const char *)object - first);

		if ((const char *)object >= first && at < chunk->carved * pool->object_bytes)
			return at % pool->object_bytes == 0;
	}
	return 0;
}

void pool_put(struct pool *pool, void *object)
{
	struct free_object *freed = object;

	if (!object)
		return;
	CHECK(pool->used > 0);
	CHECK_SLOW(chunk_owns(pool, object));
	freed->next = pool->free_list;
	pool->free_list = freed;
	pool->used--;
	ASAN_POISON_MEMORY_REGION(object, pool->object_bytes);
}

void pool_release(struct pool *pool)
{
	struct chunk *chunk;

	if (!pool)
		return;
	CHECK(pool->used == 0);
	while ((chunk = pool->chunks) != NULL) {
		pool->chunks = chunk->next;
		ASAN_UNPOISON_MEMORY_REGION(chunk + 1, chunk->objects * pool->object_bytes);
		free(chunk);
	}
	pool->free_list = NULL;
	pool->allocated = 0;
}
