/* The bytes that a load moves; see pattern.h. */
#include "pattern.h"

#include "base/hash.h"

#include <string.h>

enum {
	WORD = sizeof(uint64_t),
	WORDS = PATTERN_BLOCK_BYTES / WORD,
	STRIDE = 64, /* bytes handled at once */
};

typedef uint64_t lanes __attribute__((vector_size(16)));
/* The same where bytes lie at any address. */
typedef uint64_t loose_lanes __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t table[WORDS] __attribute__((aligned(64)));

/* A part of a stream inside one block. */
struct part {
	uint64_t key;
	size_t start; /* in the block */
	size_t len;
};

void pattern_setup(void)
{
	for (uint64_t i = 0; i < WORDS; i++)
		table[i] = hash_mix(i + 0x5eedb10c);
}

struct pattern pattern_unique(uint64_t seed)
{
	return (struct pattern){.seed = seed};
}

struct pattern pattern_periodic(void)
{
	return (struct pattern){.seed = 1, .period_blocks = PATTERN_PERIOD_BYTES / PATTERN_BLOCK_BYTES};
}

static struct part part_at(const struct pattern *pattern, uint64_t offset, size_t len)
{
	uint64_t block = offset / PATTERN_BLOCK_BYTES;
	struct part part = {.start = offset % PATTERN_BLOCK_BYTES};
	if (pattern->period_blocks != 0)
		block %= pattern->period_blocks;
	part.key = hash_mix(pattern->seed + hash_mix(block + 1));
	part.len = PATTERN_BLOCK_BYTES - part.start;
	if (part.len > len)
		part.len = len;
	return part;
}

static uint8_t byte_at(uint64_t key, size_t place)
{
	uint64_t word = table[place / WORD] ^ key;
	return (uint8_t)(word >> (place % WORD * 8));
}

/* Bytes before the first whole word, as far as the part reaches. */
static size_t head_len(const struct part *part)
{
	size_t head = (WORD - part->start % WORD) % WORD;
	return head < part->len ? head : part->len;
}

static void fill_bytes(const struct part *part, uint8_t *bytes, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++)
		bytes[i] = byte_at(part->key, part->start + i);
}

static void fill_part(const struct part *part, uint8_t *bytes)
{
	size_t i = head_len(part);
	lanes key = {part->key, part->key};
	fill_bytes(part, bytes, 0, i);
	for (; i + STRIDE <= part->len; i += STRIDE) {
		const loose_lanes *words = (const loose_lanes *)&table[(part->start + i) / WORD];
		loose_lanes *out = (loose_lanes *)(bytes + i);
		out[0] = words[0] ^ key;
		out[1] = words[1] ^ key;
		out[2] = words[2] ^ key;
		out[3] = words[3] ^ key;
	}
	for (; i + WORD <= part->len; i += WORD) {
		uint64_t word = table[(part->start + i) / WORD] ^ part->key;
		memcpy(bytes + i, &word, WORD);
	}
	fill_bytes(part, bytes, i, part->len);
}

void pattern_fill(const struct pattern *pattern, uint64_t offset, void *ret_bytes, size_t len)
{
	uint8_t *bytes = ret_bytes;
	while (len > 0) {
		struct part part = part_at(pattern, offset, len);
		fill_part(&part, bytes);
		bytes += part.len;
		offset += part.len;
		len -= part.len;
	}
}

static size_t check_bytes(const struct part *part, const uint8_t *bytes, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++)
		if (bytes[i] != byte_at(part->key, part->start + i))
			return i;
	return until;
}

/* Whether all strides from i on are right; moves i past them when so. */
static int check_strides(const struct part *part, const uint8_t *bytes, size_t *i)
{
	lanes key = {part->key, part->key};
	lanes wrong = {0, 0};
	size_t at = *i;
	for (; at + STRIDE <= part->len; at += STRIDE) {
		const loose_lanes *words = (const loose_lanes *)&table[(part->start + at) / WORD];
		const loose_lanes *in = (const loose_lanes *)(bytes + at);
		wrong |= (in[0] ^ words[0] ^ key) | (in[1] ^ words[1] ^ key);
		wrong |= (in[2] ^ words[2] ^ key) | (in[3] ^ words[3] ^ key);
	}
	if ((wrong[0] | wrong[1]) != 0)
		return 0;
	*i = at;
	return 1;
}

static size_t check_part(const struct part *part, const uint8_t *bytes)
{
	size_t head = head_len(part);
	size_t i = check_bytes(part, bytes, 0, head);
	if (i < head)
		return i;
	(void)check_strides(part, bytes, &i);
	return check_bytes(part, bytes, i, part->len);
}

size_t pattern_check(const struct pattern *pattern, uint64_t offset, const void *bytes, size_t len)
{
	const uint8_t *start = bytes;
	size_t right = 0;
	while (right < len) {
		struct part part = part_at(pattern, offset + right, len - right);
		size_t good = check_part(&part, start + right);
		right += good;
		if (good < part.len)
			break;
	}
	return right;
}
