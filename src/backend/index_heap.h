/* A binary heap of small numbers, the places of things in an array, so that one of
 * them can also be found, moved and removed: each in O(log n). */
#pragma once

#include <stdbool.h>

#include "base/status.h"

struct index_heap {
	/* True when a belongs before b; must not change for members but by index_heap_moved(). */
	bool (*is_before)(const void *context, unsigned a, unsigned b);
	const void *context;
	unsigned *items; /* [capacity] */
	unsigned *places; /* [capacity] place in items plus 1; 0: not in it */
	unsigned count, capacity;
};

/* For the numbers 0 to capacity - 1.  Returns 0 or -ENOMEM. */
int index_heap_init(struct index_heap *heap, unsigned capacity,
	bool (*is_before)(const void *context, unsigned a, unsigned b), const void *context) MUST_USE;
/* A zeroed one is allowed. */
void index_heap_release(struct index_heap *heap);

bool index_heap_has(const struct index_heap *heap, unsigned item);
/* item is not in it. */
void index_heap_add(struct index_heap *heap, unsigned item);
/* item is in it. */
void index_heap_remove(struct index_heap *heap, unsigned item);
/* item, which is in it, may belong elsewhere now. */
void index_heap_moved(struct index_heap *heap, unsigned item);
/* The one before all others; the heap is not empty. */
unsigned index_heap_first(const struct index_heap *heap);
/* Forgets all. */
void index_heap_clear(struct index_heap *heap);
