/* The bytes that a load moves: 64-bit words that follow from a seed and their
 * place in the stream, so that a changed, lost, repeated or moved byte shows.
 *
 * A word is one of a table of PATTERN_BLOCK_BYTES, changed by a key of its block;
 * so blocks are made and checked at the speed of memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	PATTERN_BLOCK_BYTES = 16 * 1024,
	PATTERN_PERIOD_BYTES = 1024 * 1024, /* of a pattern that repeats */
};

struct pattern {
	uint64_t seed;
	uint64_t period_blocks; /* 0: never repeats */
};

/* Once a process, before any other function here and before threads start. */
void pattern_setup(void);
/* A pattern that never repeats. */
struct pattern pattern_unique(uint64_t seed);
/* The one that every sampled stream has: it repeats after PATTERN_PERIOD_BYTES. */
struct pattern pattern_periodic(void);
/* Writes the bytes that stand at offset and after. */
void pattern_fill(const struct pattern *pattern, uint64_t offset, void *ret_bytes, size_t len);
/* How many bytes from the first on are right: len when all are. */
size_t pattern_check(const struct pattern *pattern, uint64_t offset, const void *bytes, size_t len);
