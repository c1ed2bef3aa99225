/* Hashes: the published vectors, and a mixer that loses nothing. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

/* From the reference implementation's vectors: key 00..0f, message 00..len-1. */
struct vector {
	size_t len;
	uint64_t hash;
};

static const struct vector vectors[] = {
	{0, 0x726fdb47dd0e0e31},
	{1, 0x74f839c593dc67fd},
	{2, 0x0d6c8009d9a94f5a},
	{7, 0xab0200f58b01d137},
	{8, 0x93f5f5799a932462},
	{15, 0xa129ca6149be45e5},
	{63, 0x958a324ceb064572},
};

static void the_published_vectors_hold(void **state)
{
	const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	unsigned char message[65];

	(void)state;
	for (size_t shift = 0; shift < 2; shift++) { /* also where the bytes are unaligned */
		for (size_t i = 0; i < 64; i++)
			message[shift + i] = (unsigned char)i;
		for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++)
			assert_int_equal(hash_keyed(&key, message + shift, vectors[i].len), vectors[i].hash);
	}
}

static void the_key_matters(void **state)
{
	const struct hash_key a = {1, 2}, b = {1, 3};

	(void)state;
	assert_int_not_equal(hash_keyed(&a, "x", 1), hash_keyed(&b, "x", 1));
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void mixing_keeps_different_values_different(void **state)
{
	enum { VALUES = 4096 };
	static uint64_t mixed[2 * VALUES];

	(void)state;
	for (uint64_t i = 0; i < VALUES; i++) {
		mixed[2 * i] = hash_mix(i);
		mixed[2 * i + 1] = hash_mix((i + 1) << 40);
	}
	qsort(mixed, 2 * VALUES, sizeof(mixed[0]), compare);
	for (size_t i = 1; i < 2 * VALUES; i++)
		assert_true(mixed[i] != mixed[i - 1]);
}

static void mixing_spreads_neighbours(void **state)
{
	unsigned buckets[16] = {0};

	(void)state;
	for (uint64_t i = 0; i < 16000; i++)
		buckets[hash_mix(i) % 16]++;
	for (size_t i = 0; i < 16; i++)
		assert_in_range(buckets[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_hold),
		cmocka_unit_test(the_key_matters),
		cmocka_unit_test(mixing_keeps_different_values_different),
		cmocka_unit_test(mixing_spreads_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
