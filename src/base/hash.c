/* SipHash-2-4 after the paper by Aumasson and Bernstein, and an integer finaliser. */
#include "base/hash.h"

enum { COMPRESS_ROUNDS = 2, FINAL_ROUNDS = 4 };

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void mix_rounds(struct sip_state *state, unsigned rounds)
{
	while (rounds-- > 0) {
		state->v0 += state->v1;
		state->v1 = rotate_left(state->v1, 13) ^ state->v0;
		state->v0 = rotate_left(state->v0, 32);
		state->v2 += state->v3;
		state->v3 = rotate_left(state->v3, 16) ^ state->v2;
		state->v0 += state->v3;
		state->v3 = rotate_left(state->v3, 21) ^ state->v0;
		state->v2 += state->v1;
		state->v1 = rotate_left(state->v1, 17) ^ state->v2;
		state->v2 = rotate_left(state->v2, 32);
	}
}

static inline void absorb(struct sip_state *state, uint64_t word)
{
	state->v3 ^= word;
	mix_rounds(state, COMPRESS_ROUNDS);
	state->v0 ^= word;
}

/* The paper reads words little-endian. */
static inline uint64_t load_word(const unsigned char *bytes, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	struct sip_state state = {
		.v0 = key->k0 ^ 0x736f6d6570736575,
		.v1 = key->k1 ^ 0x646f72616e646f6d,
		.v2 = key->k0 ^ 0x6c7967656e657261,
		.v3 = key->k1 ^ 0x7465646279746573,
	};
	size_t left = len;

	for (; left >= 8; left -= 8, at += 8)
		absorb(&state, load_word(at, 8));
	absorb(&state, load_word(at, left) | (uint64_t)(len & 0xff) << 56);

	state.v2 ^= 0xff;
	mix_rounds(&state, FINAL_ROUNDS);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

/* Xor-shifts and multiplications by odd numbers, each of which can be undone. */
uint64_t hash_mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}
