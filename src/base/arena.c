/* A bump allocator over growing chunks.  What it leaves to others: knowing when
 * nobody points into it any more. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES_MIN = 16 * 1024, CHUNK_BYTES_LARGE = 1024 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct arena *arena_create(void)
{
	return calloc(1, sizeof(struct arena));
}

void arena_destroy(struct arena *arena)
{
	if (arena == NULL)
		return;
	while (arena->chunks != NULL) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	free(arena);
}

/* A new chunk that holds at least `bytes`; chunks grow with the arena. */
static struct arena_chunk *chunk_add(struct arena *arena, size_t bytes)
{
	size_t size = arena->bytes < CHUNK_BYTES_LARGE ? CHUNK_BYTES_MIN : CHUNK_BYTES_LARGE;
	struct arena_chunk *chunk;

	if (size < bytes)
		size = bytes;
	if (size > ARENA_BYTES_MAX - arena->bytes)
		longjmp(arena->on_exhausted, 1);
	chunk = calloc(1, sizeof(*chunk) + size);
	if (chunk == NULL)
		longjmp(arena->on_exhausted, 1);
	chunk->size = size;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->bytes += size;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	const size_t unit = alignof(max_align_t);
	struct arena_chunk *chunk = arena->chunks;
	void *result;

	if (bytes > ARENA_BYTES_MAX)
		longjmp(arena->on_exhausted, 1);
	bytes = (bytes + unit - 1) / unit * unit;
	if (chunk == NULL || chunk->size - chunk->used < bytes)
		chunk = chunk_add(arena, bytes);
	result = chunk->bytes + chunk->used;
	chunk->used += bytes;
	return result;
}

char *arena_copy_bytes(struct arena *arena, const char *bytes, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	memcpy(copy, bytes, len);
	return copy;
}

char *arena_copy(struct arena *arena, const char *string)
{
	return arena_copy_bytes(arena, string, strlen(string));
}
