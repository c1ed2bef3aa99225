/* Hash functions over bytes, each with a result of 32 bits. */
#include "backend/hash_function.h"

#include "base/check.h"

/* Of the sdbm library: a multiplication by 65599. */
static uint32_t hash_sdbm(const unsigned char *bytes, size_t len)
{
	uint32_t hash = 0;
	for (size_t i = 0; i < len; i++)
		hash = hash * 65599 + bytes[i];
	return hash;
}

/* Daniel J. Bernstein's. */
static uint32_t hash_djb2(const unsigned char *bytes, size_t len)
{
	uint32_t hash = 5381;
	for (size_t i = 0; i < len; i++)
		hash = hash * 33 + bytes[i];
	return hash;
}

static inline uint32_t rotate_left(uint32_t value, unsigned bits)
{
	return value << bits | value >> ((32 - bits) & 31);
}

/* Two halves that change places with every byte, turned by amounts that they yield
 * themselves. */
static uint32_t hash_wt6(const unsigned char *bytes, size_t len)
{
	uint32_t left = 0xa53c965a, right = 0x5ca6953a;
	unsigned left_bits = 6, right_bits = 18;
	for (size_t i = 0; i < len; i++) {
		uint32_t turned_left = rotate_left(~(left ^ bytes[i]), right_bits);
		left = rotate_left(~(right + bytes[i]), left_bits);
		right = turned_left;
		uint32_t amounts = (left >> 16 ^ right) & 0xffff;
		left_bits = amounts & 31;
		right_bits = amounts >> 11;
	}
	return left ^ right;
}

/* The one of Ethernet and zip. */
static uint32_t hash_crc32(const unsigned char *bytes, size_t len)
{
	uint32_t hash = UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		hash ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			hash = hash >> 1 ^ (hash & 1 ? 0xedb88320 : 0);
	}
	return ~hash;
}

uint32_t hash_function_run(enum config_hash_function function, const void *bytes, size_t len)
{
	switch (function) {
	case CONFIG_HASH_SDBM:
		return hash_sdbm(bytes, len);
	case CONFIG_HASH_DJB2:
		return hash_djb2(bytes, len);
	case CONFIG_HASH_WT6:
		return hash_wt6(bytes, len);
	case CONFIG_HASH_CRC32:
		return hash_crc32(bytes, len);
	}
	CHECK(false);
}

/* Robert Jenkins's mixing of 32 bits in six steps, then a multiplication by a prime
 * near three quarters of the range. */
uint32_t hash_avalanche(uint32_t number)
{
	number = number + 0x7ed55d16 + (number << 12);
	number = number ^ 0xc761c23c ^ number >> 19;
	number = number + 0x165667b1 + (number << 5);
	number = (number + 0xd3a2646c) ^ number << 9;
	number = number + 0xfd7046c5 + (number << 3);
	number = number ^ 0xb55a4f09 ^ number >> 16;
	return number * 3221225473U;
}
