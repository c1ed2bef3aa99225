/* The checksum, against published values. */
#include "proto/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, has the ones of 32 bytes. */
static void published_values_come_out(void **state)
{
	uint8_t bytes[32];
	(void)state;
	assert_int_equal(crc32c(CRC32C_START, "", 0), 0);
	assert_int_equal(crc32c(CRC32C_START, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(CRC32C_START, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(CRC32C_START, bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c(CRC32C_START, bytes, sizeof(bytes)), 0x46dd794e);
}

static void pieces_make_the_same_as_the_whole(void **state)
{
	static const char text[] = "the quick brown fox";
	(void)state;
	uint32_t whole = crc32c(CRC32C_START, text, sizeof(text));
	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		uint32_t first = crc32c(CRC32C_START, text, cut);
		assert_int_equal(crc32c(first, text + cut, sizeof(text) - cut), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_values_come_out),
		cmocka_unit_test(pieces_make_the_same_as_the_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
