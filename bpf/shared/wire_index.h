/* How the programs and their loader find the pair of a packet.  Each key has two buckets of
 * one cache line; what a slot names is compared with the pair itself, which holds all
 * addresses.  A map of hashed keys would take several times the memory.
 *
 * The hash is keyed, and fast before it is strong: who could make many connections fall into
 * the same buckets would only keep them from being spliced. */
#pragma once

#include "wire.h"

enum { WIRE_SLOTS = 8, WIRE_KEY4_WORDS = 3, WIRE_KEY6_WORDS = 9 };

/* 0 is free; else the tag, and below it the wire_flow_id and one.  No tag twice in a bucket. */
struct wire_bucket {
	__u64 slots[WIRE_SLOTS];
};

struct wire_place {
	__u32 buckets[2];
	__u32 tag;
};

static inline __attribute__((always_inline)) struct wire_place wire_place_of(
	const __u32 *words, const __u32 count, __u64 seed, __u32 buckets)
{
	__u64 hash = seed + count;
	for (__u32 i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	hash = (hash ^ seed) * 0xd6e8feb86659fd93ull;
	hash ^= hash >> 32;
	__u64 other = hash * 0xc2b2ae3d27d4eb4full;
	return (struct wire_place){
		.buckets = {(__u32)((hash >> 32) * buckets >> 32), (__u32)((other >> 32) * buckets >> 32)},
		.tag = (__u32)hash};
}

_Static_assert(sizeof(struct wire_bucket) == 64, "a cache line");
