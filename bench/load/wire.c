/* Hello and verdict as bytes; see wire.h. */
#include "wire.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

enum { FLAG_SAMPLED = 1, FLAG_CLOSING = 2 };

static const uint64_t hello_magic = 0x6f6c6c65682d6273; /* "sb-hello" */
static const uint64_t verdict_magic = 0x746369647265762d; /* "-verdict" */

static void put_words(uint8_t *bytes, const uint64_t *words)
{
	for (size_t i = 0; i < WIRE_BYTES / sizeof(*words); i++) {
		uint64_t word = htole64(words[i]);
		memcpy(bytes + i * sizeof(word), &word, sizeof(word));
	}
}

static void get_words(const uint8_t *bytes, uint64_t *words)
{
	memcpy(words, bytes, WIRE_BYTES);
	for (size_t i = 0; i < WIRE_BYTES / sizeof(*words); i++)
		words[i] = le64toh(words[i]);
}

void wire_put_hello(const struct wire_hello *hello, uint8_t ret_bytes[WIRE_BYTES])
{
	uint64_t flags = (hello->is_sampled ? FLAG_SAMPLED : 0) | (hello->is_closing ? FLAG_CLOSING : 0);
	put_words(ret_bytes,
		(uint64_t[]){hello_magic, (uint64_t)hello->role, flags, hello->message_bytes,
			hello->answer_bytes, hello->seed});
}

bool wire_get_hello(const uint8_t bytes[WIRE_BYTES], struct wire_hello *ret_hello)
{
	uint64_t words[WIRE_BYTES / sizeof(uint64_t)];
	get_words(bytes, words);
	if (words[0] != hello_magic || words[1] > WIRE_REPLY || words[2] > (FLAG_SAMPLED | FLAG_CLOSING))
		return false;
	if (words[3] > UINT32_MAX || words[4] > UINT32_MAX)
		return false;
	if (words[1] == WIRE_REPLY && (words[3] == 0 || words[4] == 0))
		return false;
	*ret_hello = (struct wire_hello){.role = (enum wire_role)words[1],
		.is_sampled = (words[2] & FLAG_SAMPLED) != 0,
		.is_closing = (words[2] & FLAG_CLOSING) != 0,
		.message_bytes = (uint32_t)words[3],
		.answer_bytes = (uint32_t)words[4],
		.seed = words[5]};
	return true;
}

void wire_put_verdict(const struct wire_verdict *verdict, uint8_t ret_bytes[WIRE_BYTES])
{
	put_words(ret_bytes,
		(uint64_t[]){verdict_magic, verdict->received, verdict->sent, verdict->verified,
			verdict->bad_offset, ~verdict_magic});
}

bool wire_get_verdict(const uint8_t bytes[WIRE_BYTES], struct wire_verdict *ret_verdict)
{
	uint64_t words[WIRE_BYTES / sizeof(uint64_t)];
	get_words(bytes, words);
	if (words[0] != verdict_magic || words[5] != ~verdict_magic)
		return false;
	*ret_verdict = (struct wire_verdict){
		.received = words[1], .sent = words[2], .verified = words[3], .bad_offset = words[4]};
	return true;
}
