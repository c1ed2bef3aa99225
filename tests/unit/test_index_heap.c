/* The heap against the plain way: after any steps its first is the least. */
#include "backend/index_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

enum { ITEMS = 50, STEPS = 20000 };

static uint64_t keys[ITEMS];

static bool is_before(const void *context, unsigned a, unsigned b)
{
	const uint64_t *by = context;
	return by[a] != by[b] ? by[a] < by[b] : a < b;
}

static void first_check(const struct index_heap *heap, const bool *is_in)
{
	unsigned best = ITEMS, count = 0;
	for (unsigned i = 0; i < ITEMS; i++) {
		assert_int_equal(index_heap_has(heap, i), is_in[i]);
		count += is_in[i];
		if (is_in[i] && (best == ITEMS || is_before(keys, i, best)))
			best = i;
	}
	assert_int_equal(heap->count, count);
	if (count > 0)
		assert_int_equal(index_heap_first(heap), best);
}

static void the_first_is_always_the_least(void **state)
{
	struct index_heap heap;
	bool is_in[ITEMS] = {false};
	(void)state;
	assert_int_equal(index_heap_init(&heap, ITEMS, is_before, keys), 0);
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t dice = hash_mix(step);
		unsigned item = (unsigned)(dice % ITEMS);
		bool is_moving = is_in[item] && (dice >> 32 & 1);
		if (is_moving || !is_in[item])
			keys[item] = (dice >> 40) % 100;
		if (is_moving)
			index_heap_moved(&heap, item);
		else if (is_in[item])
			index_heap_remove(&heap, item);
		else
			index_heap_add(&heap, item);
		is_in[item] = is_moving || !is_in[item];
		first_check(&heap, is_in);
	}
	index_heap_clear(&heap);
	for (unsigned i = 0; i < ITEMS; i++)
		is_in[i] = false;
	first_check(&heap, is_in);
	index_heap_release(&heap);
	index_heap_release(&heap);
}

static void one_without_room_is_made_and_released(void **state)
{
	struct index_heap heap;
	(void)state;
	assert_int_equal(index_heap_init(&heap, 0, is_before, keys), 0);
	assert_int_equal(heap.count, 0);
	index_heap_release(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_always_the_least),
		cmocka_unit_test(one_without_room_is_made_and_released),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
