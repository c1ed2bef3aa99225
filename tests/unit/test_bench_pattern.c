/* The pattern that splicebench sends and checks: what is wrong is found, and where. */
#include "../../bench/load/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM_BYTES = 300 * 1024 };

static uint8_t stream[STREAM_BYTES + 64];
static const struct pattern pattern = {.seed = 42};

static void pieces_of_any_size_make_the_same_stream(void **state)
{
	static const size_t sizes[] = {1, 3, 7, 8, 9, 63, 64, 65, 1000, PATTERN_BLOCK_BYTES - 1, 100000};
	static uint8_t pieces[STREAM_BYTES];
	(void)state;
	pattern_fill(&pattern, 0, stream, STREAM_BYTES);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(pieces, 0, sizeof(pieces));
		for (size_t at = 0; at < STREAM_BYTES; at += sizes[i]) {
			size_t len = sizes[i] < STREAM_BYTES - at ? sizes[i] : STREAM_BYTES - at;
			pattern_fill(&pattern, at, pieces + at, len);
			assert_int_equal(pattern_check(&pattern, at, stream + at, len), len);
		}
		assert_memory_equal(stream, pieces, STREAM_BYTES);
	}
}

static void bytes_may_lie_at_any_address(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 16; shift++) {
		pattern_fill(&pattern, 1001, stream + shift, 50000);
		assert_int_equal(pattern_check(&pattern, 1001, stream + shift, 50000), 50000);
	}
}

static void a_flipped_bit_is_found_at_its_place(void **state)
{
	static const size_t places[] = {0, 1, 7, 8, 4095, PATTERN_BLOCK_BYTES - 1, PATTERN_BLOCK_BYTES,
		PATTERN_BLOCK_BYTES + 77, 200001, STREAM_BYTES - 1};
	(void)state;
	pattern_fill(&pattern, 12345, stream, STREAM_BYTES);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			stream[places[i]] ^= (uint8_t)(1u << bit);
			assert_int_equal(pattern_check(&pattern, 12345, stream, STREAM_BYTES), places[i]);
			stream[places[i]] ^= (uint8_t)(1u << bit);
		}
	}
	assert_int_equal(pattern_check(&pattern, 12345, stream, STREAM_BYTES), STREAM_BYTES);
}

/* Whether the check stops soon after `place` when the bytes after it are those of
 * `shift` bytes further (lost) or before (repeated).  A first byte or two may agree by chance. */
static bool is_caught(size_t place, long shift)
{
	pattern_fill(&pattern, 0, stream, place);
	pattern_fill(&pattern, (uint64_t)((long)place + shift), stream + place, STREAM_BYTES - place);
	size_t right = pattern_check(&pattern, 0, stream, STREAM_BYTES);
	return right >= place && right < place + 8;
}

static void a_lost_block_is_found_where_it_is_missing(void **state)
{
	static const long losses[] = {
		1, 8, 64, 4096, 65536, PATTERN_BLOCK_BYTES, 10L * PATTERN_BLOCK_BYTES, 1 << 20};
	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		for (size_t place = 100000; place < 100016; place++)
			assert_true(is_caught(place, losses[i]));
}

static void a_repeated_block_is_found_where_it_begins(void **state)
{
	static const long repeats[] = {1, 8, 64, 4096, 65536, PATTERN_BLOCK_BYTES, 6L * PATTERN_BLOCK_BYTES};
	(void)state;
	for (size_t i = 0; i < sizeof(repeats) / sizeof(repeats[0]); i++)
		for (size_t place = 100000; place < 100016; place++)
			assert_true(is_caught(place, -repeats[i]));
}

static void streams_of_other_seeds_are_not_taken_for_it(void **state)
{
	struct pattern other = pattern_unique(43);
	(void)state;
	pattern_fill(&other, 0, stream, STREAM_BYTES);
	assert_in_range(pattern_check(&pattern, 0, stream, STREAM_BYTES), 0, 7);
}

static int compare_words(const void *a, const void *b)
{
	uint64_t one, two;
	memcpy(&one, a, sizeof(one));
	memcpy(&two, b, sizeof(two));
	return one < two ? -1 : one > two;
}

static void every_word_is_at_one_place_only(void **state)
{
	enum { BYTES = 1 << 20, WORDS = BYTES / 8 };
	uint64_t *words = malloc(BYTES);
	(void)state;
	assert_non_null(words);
	pattern_fill(&pattern, 0, words, BYTES);
	qsort(words, WORDS, sizeof(*words), compare_words);
	for (size_t i = 1; i < WORDS; i++)
		assert_true(words[i - 1] != words[i]);
	free(words);
}

static void the_periodic_one_repeats_after_its_period_and_not_before(void **state)
{
	struct pattern periodic = pattern_periodic();
	(void)state;
	pattern_fill(&periodic, 0, stream, STREAM_BYTES);
	assert_int_equal(
		pattern_check(&periodic, 3u * PATTERN_PERIOD_BYTES, stream, STREAM_BYTES), STREAM_BYTES);
	assert_in_range(pattern_check(&periodic, PATTERN_PERIOD_BYTES / 2, stream, STREAM_BYTES), 0, 7);
}

static int setup(void **state)
{
	(void)state;
	pattern_setup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_make_the_same_stream),
		cmocka_unit_test(bytes_may_lie_at_any_address),
		cmocka_unit_test(a_flipped_bit_is_found_at_its_place),
		cmocka_unit_test(a_lost_block_is_found_where_it_is_missing),
		cmocka_unit_test(a_repeated_block_is_found_where_it_begins),
		cmocka_unit_test(streams_of_other_seeds_are_not_taken_for_it),
		cmocka_unit_test(every_word_is_at_one_place_only),
		cmocka_unit_test(the_periodic_one_repeats_after_its_period_and_not_before),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
