/* Hash functions: known values, and what the avalanche promises. */
#include "backend/hash_function.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void values_are_those_of_the_published_functions(void **state)
{
	const struct {
		enum config_hash_function function;
		const char *bytes;
		uint32_t value;
	} cases[] = {
		{CONFIG_HASH_SDBM, "", 0x0},
		{CONFIG_HASH_DJB2, "", 0x1505},
		{CONFIG_HASH_WT6, "", 0xf99a0360},
		{CONFIG_HASH_CRC32, "", 0x0},
		{CONFIG_HASH_SDBM, "a", 0x61},
		{CONFIG_HASH_DJB2, "a", 0x2b606},
		{CONFIG_HASH_WT6, "a", 0x714bf225},
		{CONFIG_HASH_CRC32, "a", 0xe8b7be43},
		{CONFIG_HASH_SDBM, "123456789", 0x68a07035},
		{CONFIG_HASH_DJB2, "123456789", 0x35cdbb82},
		{CONFIG_HASH_WT6, "123456789", 0x84a16c1d},
		{CONFIG_HASH_CRC32, "123456789", 0xcbf43926},
		{CONFIG_HASH_SDBM, "spliced", 0xd6dc7a68},
		{CONFIG_HASH_DJB2, "spliced", 0xa5484b49},
		{CONFIG_HASH_WT6, "spliced", 0xc98686d4},
		{CONFIG_HASH_CRC32, "spliced", 0x49e67516},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(hash_function_run(cases[i].function, cases[i].bytes, strlen(cases[i].bytes)),
			cases[i].value);
}

static void the_avalanche_spreads_neighbours(void **state)
{
	unsigned flips = 0;
	(void)state;
	for (uint32_t number = 0; number < 1000; number++)
		flips += (unsigned)__builtin_popcount(hash_avalanche(number) ^ hash_avalanche(number + 1));
	/* Half of the 32 bits, more or less. */
	assert_in_range(flips, 1000 * 14, 1000 * 18);
	assert_int_equal(hash_avalanche(0), 0xab4ed927);
	assert_int_equal(hash_avalanche(0x7f000001), 0x8a1b584b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_the_published_functions),
		cmocka_unit_test(the_avalanche_spreads_neighbours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
