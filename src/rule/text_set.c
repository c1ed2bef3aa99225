/* A hash that grows by one byte at a time, forwards or backwards, so that all beginnings
 * (or ends) of a text are looked up in one walk along it.  Nobody outside can add texts:
 * the hash needs no key. */
#include "rule/text_set.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"

struct member {
	struct member *next; /* in the set, later in its place of the table */
	const char *text, *value;
	size_t len;
	uint64_t hash;
};

struct text_set {
	struct arena *arena;
	struct text_set_options options;
	struct member *members, **members_end;
	size_t count;
	struct member **table;
	size_t table_mask; /* its places less one, which are a power of two */
	size_t len_min, len_max;
	uint8_t *lengths; /* bit per length up to len_max */
};

struct text_set *text_set_create(struct arena *arena, const struct text_set_options *options)
{
	struct text_set *set = arena_alloc(arena, sizeof(*set));
	set->arena = arena;
	set->options = *options;
	set->members_end = &set->members;
	return set;
}

void text_set_add(struct text_set *set, const char *text, size_t len, const char *value)
{
	struct member *member = arena_alloc(set->arena, sizeof(*member));
	member->text = text;
	member->len = len;
	member->value = value;
	*set->members_end = member;
	set->members_end = &member->next;
	if (set->count == 0 || len < set->len_min)
		set->len_min = len;
	if (len > set->len_max)
		set->len_max = len;
	set->count++;
}

static uint8_t letter(const struct text_set *set, char character)
{
	uint8_t byte = (uint8_t)character;
	return set->options.ignores_case && byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* FNV's step. */
static uint64_t hash_step(uint64_t hash, uint8_t byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static bool is_backwards(const struct text_set *set)
{
	return set->options.place == TEXT_END;
}

static uint64_t hash_of(const struct text_set *set, const char *text, size_t len)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < len; i++)
		hash = hash_step(hash, letter(set, text[is_backwards(set) ? len - 1 - i : i]));
	return hash;
}

static struct member **place_of(const struct text_set *set, uint64_t hash)
{
	return &set->table[hash_mix(hash) & set->table_mask];
}

static bool is_equal(const struct text_set *set, const char *a, const char *b, size_t len)
{
	if (!set->options.ignores_case)
		return memcmp(a, b, len) == 0;
	for (size_t i = 0; i < len; i++) {
		if (letter(set, a[i]) != letter(set, b[i]))
			return false;
	}
	return true;
}

static const struct member *member_find(
	const struct text_set *set, uint64_t hash, const char *text, size_t len)
{
	for (const struct member *member = *place_of(set, hash); member != NULL; member = member->next) {
		if (member->hash == hash && member->len == len && is_equal(set, member->text, text, len))
			return member;
	}
	return NULL;
}

void text_set_finish(struct text_set *set)
{
	size_t places = 1;
	while (places < 2 * set->count)
		places *= 2;
	set->table = arena_alloc(set->arena, places * sizeof(struct member *));
	set->table_mask = places - 1;
	set->lengths = arena_alloc(set->arena, set->len_max / 8 + 1);
	for (struct member *member = set->members, *next; member != NULL; member = next) {
		next = member->next;
		member->hash = hash_of(set, member->text, member->len);
		if (member_find(set, member->hash, member->text, member->len) != NULL)
			continue;
		struct member **place = place_of(set, member->hash);
		member->next = *place;
		*place = member;
		set->lengths[member->len / 8] |= (uint8_t)(1u << member->len % 8);
	}
	set->members = NULL;
}

/* Whether a beginning of this length may be what is looked for. */
static bool is_candidate(const struct text_set *set, const char *text, size_t len, size_t part)
{
	if (part < set->len_min || (set->lengths[part / 8] & 1u << part % 8) == 0)
		return false;
	if (set->options.place != TEXT_BETWEEN || part == len)
		return true;
	return text[part] != '\0' && strchr(set->options.delimiters, text[part]) != NULL;
}

/* The longest beginning (or end, for a set that goes backwards) that is in the set. */
static const struct member *walk(const struct text_set *set, const char *text, size_t len)
{
	const struct member *found = NULL;
	bool goes_back = is_backwards(set);
	uint64_t hash = 0;
	for (size_t part = 0; part <= len && part <= set->len_max; part++) {
		if (part > 0)
			hash = hash_step(hash, letter(set, text[goes_back ? len - part : part - 1]));
		if (!is_candidate(set, text, len, part))
			continue;
		const char *start = goes_back ? text + len - part : text;
		const struct member *member = member_find(set, hash, start, part);
		if (member != NULL)
			found = member;
	}
	return found;
}

static const struct member *walk_between(const struct text_set *set, const char *text, size_t len)
{
	const struct member *found = NULL;
	for (size_t at = 0; at <= len; at++) {
		bool is_start =
			at == 0 || (text[at - 1] != '\0' && strchr(set->options.delimiters, text[at - 1]));
		const struct member *member = is_start ? walk(set, text + at, len - at) : NULL;
		if (member != NULL && (found == NULL || member->len > found->len))
			found = member;
	}
	return found;
}

const char *text_set_find(const struct text_set *set, const char *text, size_t len)
{
	const struct member *member = NULL;
	if (set->count == 0)
		return NULL;
	switch (set->options.place) {
	case TEXT_WHOLE:
		if (len <= set->len_max)
			member = member_find(set, hash_of(set, text, len), text, len);
		break;
	case TEXT_BEGINNING:
	case TEXT_END:
		member = walk(set, text, len);
		break;
	case TEXT_BETWEEN:
		member = walk_between(set, text, len);
		break;
	}
	return member != NULL ? member->value : NULL;
}
