/* A binary heap that knows where each of its numbers is. */
#include "backend/index_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

int index_heap_init(struct index_heap *heap, unsigned capacity,
	bool (*is_before)(const void *context, unsigned a, unsigned b), const void *context)
{
	unsigned room = capacity ? capacity : 1;
	*heap = (struct index_heap){.is_before = is_before, .context = context, .capacity = capacity};
	heap->items = calloc(room, sizeof(*heap->items));
	heap->places = calloc(room, sizeof(*heap->places));
	if (heap->items && heap->places)
		return 0;
	index_heap_release(heap);
	return -ENOMEM;
}

void index_heap_release(struct index_heap *heap)
{
	free(heap->items);
	free(heap->places);
	heap->items = heap->places = NULL;
	heap->count = heap->capacity = 0;
}

bool index_heap_has(const struct index_heap *heap, unsigned item)
{
	CHECK(item < heap->capacity);
	return heap->places[item] != 0;
}

static void put(struct index_heap *heap, unsigned place, unsigned item)
{
	heap->items[place] = item;
	heap->places[item] = place + 1;
}

static void rise(struct index_heap *heap, unsigned place, unsigned item)
{
	while (place > 0) {
		unsigned parent = (place - 1) / 2;
		if (!heap->is_before(heap->context, item, heap->items[parent]))
			break;
		put(heap, place, heap->items[parent]);
		place = parent;
	}
	put(heap, place, item);
}

static void sink(struct index_heap *heap, unsigned place, unsigned item)
{
	for (unsigned child = 2 * place + 1; child < heap->count; child = 2 * place + 1) {
		bool has_right = child + 1 < heap->count;
		if (has_right && heap->is_before(heap->context, heap->items[child + 1], heap->items[child]))
			child++;
		if (!heap->is_before(heap->context, heap->items[child], item))
			break;
		put(heap, place, heap->items[child]);
		place = child;
	}
	put(heap, place, item);
}

void index_heap_add(struct index_heap *heap, unsigned item)
{
	CHECK(!index_heap_has(heap, item));
	rise(heap, heap->count++, item);
}

void index_heap_moved(struct index_heap *heap, unsigned item)
{
	CHECK(index_heap_has(heap, item));
	rise(heap, heap->places[item] - 1, item);
	sink(heap, heap->places[item] - 1, item);
}

void index_heap_remove(struct index_heap *heap, unsigned item)
{
	CHECK(index_heap_has(heap, item));
	unsigned place = heap->places[item] - 1;
	unsigned last = heap->items[--heap->count];
	heap->places[item] = 0;
	if (last == item)
		return;
	put(heap, place, last);
	index_heap_moved(heap, last);
}

unsigned index_heap_first(const struct index_heap *heap)
{
	CHECK(heap->count > 0);
	return heap->items[0];
}

void index_heap_clear(struct index_heap *heap)
{
	heap->count = 0;
	memset(heap->places, 0, heap->capacity * sizeof(*heap->places));
}
