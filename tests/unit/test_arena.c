/* Memory that is given back all at once. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	assert_non_null(arena);
	assert_int_equal(setjmp(arena->on_exhausted), 0);
	for (size_t bytes = 0; bytes < 4000; bytes += 7) {
		unsigned char *piece = arena_alloc(arena, bytes);

		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xff, bytes);
	}
	assert_string_equal(arena_copy(arena, "text"), "text");
	assert_string_equal(arena_copy_bytes(arena, "text", 2), "te");
	arena_destroy(arena);
}

static void large_pieces_get_their_own_chunk(void **state)
{
	struct arena *arena = arena_create();
	char *piece;

	(void)state;
	assert_non_null(arena);
	assert_int_equal(setjmp(arena->on_exhausted), 0);
	piece = arena_alloc(arena, 3 * 1024 * 1024);
	piece[3 * 1024 * 1024 - 1] = 1;
	assert_true(arena->bytes >= 3 * 1024 * 1024);
	arena_destroy(arena);
}

static void what_exceeds_the_limit_continues_elsewhere(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	assert_non_null(arena);
	if (setjmp(arena->on_exhausted) == 0) {
		arena_alloc(arena, (size_t)ARENA_BYTES_MAX + 1);
		fail_msg("an allocation above the limit returned");
	}
	if (setjmp(arena->on_exhausted) == 0) {
		arena_alloc(arena, SIZE_MAX - 3);
		fail_msg("an allocation near the largest size returned");
	}
	arena_destroy(arena);
	arena_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(large_pieces_get_their_own_chunk),
		cmocka_unit_test(what_exceeds_the_limit_continues_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
