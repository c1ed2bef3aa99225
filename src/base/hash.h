/* Keyed hash (SipHash-2-4) for tables an outsider may feed, and a plain mixer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t len);
/* Bijective 64-bit finaliser; same value on every machine. */
uint64_t hash_mix(uint64_t value);
