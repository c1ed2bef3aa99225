/* Networks lie within each other or apart.  So all addresses fall into stretches, each
 * with one innermost network or none, and what is kept is where each stretch begins. */
#include "rule/address_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/network.h"

enum { ADDRESS_BYTES = 16, ADDRESS_BITS = 128, MAPPED_BITS = 96, TEXT_MAX = INET6_ADDRSTRLEN };

/* IPv4 is where IPv6 has it (::ffff:0:0/96). */
struct key {
	uint64_t high, low;
};

struct member {
	struct member *next;
	struct key first, last;
	unsigned bits, order;
	const char *value;
};

struct stretch {
	struct key first;
	const char *value; /* NULL: in no network */
};

struct address_set {
	struct arena *arena;
	struct member *members;
	unsigned members_count;
	struct stretch *stretches;
	size_t count;
};

struct address_set *address_set_create(struct arena *arena)
{
	struct address_set *set = arena_alloc(arena, sizeof(*set));
	set->arena = arena;
	return set;
}

static uint64_t number_of(const uint8_t *bytes)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < sizeof(number); i++)
		number = number << 8 | bytes[i];
	return number;
}

static struct key key_of(unsigned family, const uint8_t *ip)
{
	uint8_t bytes[ADDRESS_BYTES] = {0};
	if (family == AF_INET6)
		return (struct key){number_of(ip), number_of(ip + 8)};
	bytes[10] = bytes[11] = 0xff;
	memcpy(bytes + MAPPED_BITS / 8, ip, 4);
	return (struct key){number_of(bytes), number_of(bytes + 8)};
}

static int key_compare(const struct key *a, const struct key *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->low == b->low ? 0 : a->low < b->low ? -1 : 1;
}

/* The key's successor; false behind the last one. */
static bool key_next(const struct key *key, struct key *ret_next)
{
	*ret_next = (struct key){key->high + (key->low == UINT64_MAX), key->low + 1};
	return key->high != UINT64_MAX || key->low != UINT64_MAX;
}

static struct key mask_of(unsigned bits)
{
	return (struct key){bits == 0 ? 0
			: bits >= 64  ? UINT64_MAX
				      : UINT64_MAX << (64 - bits),
		bits <= 64            ? 0
			: bits >= 128 ? UINT64_MAX
				      : UINT64_MAX << (128 - bits)};
}

/* "255.255.0.0" is 16. */
static int bits_of_mask(const char *text)
{
	struct in_addr address;
	if (inet_pton(AF_INET, text, &address) != 1)
		return -1;
	uint32_t mask = ntohl(address.s_addr);
	int bits = mask == 0 ? 0 : 32 - __builtin_ctz(mask);
	return mask == (bits == 0 ? 0 : UINT32_MAX << (32 - bits)) ? bits : -1;
}

static int bits_parse(const char *text, unsigned family)
{
	char *end;
	long bits_max = family == AF_INET ? 32 : ADDRESS_BITS;
	if (family == AF_INET && strchr(text, '.') != NULL)
		return bits_of_mask(text);
	if (text[0] < '0' || text[0] > '9')
		return -1;
	long bits = strtol(text, &end, 10);
	return *end == '\0' && bits <= bits_max ? (int)bits : -1;
}

static int parse(const char *text, struct key *ret_key, unsigned *ret_bits)
{
	char host[TEXT_MAX];
	uint8_t ip[ADDRESS_BYTES];
	size_t len = strcspn(text, "/");
	if (len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	int family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, host, ip) != 1)
		return -EINVAL;
	int bits = family == AF_INET ? 32 : ADDRESS_BITS;
	if (text[len] == '/')
		bits = bits_parse(text + len + 1, (unsigned)family);
	if (bits < 0)
		return -EINVAL;
	*ret_key = key_of((unsigned)family, ip);
	*ret_bits = (unsigned)bits + (family == AF_INET ? MAPPED_BITS : 0);
	return 0;
}

int address_set_add(struct address_set *set, const char *text, const char *value)
{
	struct key key;
	unsigned bits;
	if (parse(text, &key, &bits) < 0)
		return -EINVAL;
	struct key mask = mask_of(bits);
	struct member *member = arena_alloc(set->arena, sizeof(*member));
	member->first = (struct key){key.high & mask.high, key.low & mask.low};
	member->last = (struct key){key.high | ~mask.high, key.low | ~mask.low};
	member->bits = bits;
	member->order = set->members_count++;
	member->value = value;
	member->next = set->members;
	set->members = member;
	return 0;
}

/* By where they begin; around before within; equal ones as they came. */
static int member_compare(const void *a, const void *b)
{
	const struct member *one = *(const struct member *const *)a;
	const struct member *other = *(const struct member *const *)b;
	int order = key_compare(&one->first, &other->first);
	if (order != 0)
		return order;
	if (one->bits != other->bits)
		return one->bits < other->bits ? -1 : 1;
	return one->order < other->order ? -1 : 1;
}

/* What begins where another one has begun takes its place. */
static void stretch_begin(struct address_set *set, const struct key *first, const char *value)
{
	if (set->count > 0 && key_compare(&set->stretches[set->count - 1].first, first) == 0)
		set->count--;
	set->stretches[set->count++] = (struct stretch){*first, value};
}

/* Those the sweep is within, the innermost last. */
struct nest {
	const struct member *open[ADDRESS_BITS + 1];
	unsigned depth;
};

/* Closes all that end before the key (NULL: all). */
static void close_before(struct address_set *set, struct nest *nest, const struct key *key)
{
	while (nest->depth > 0) {
		const struct member *inner = nest->open[nest->depth - 1];
		struct key next;
		if (key != NULL && key_compare(&inner->last, key) >= 0)
			return;
		nest->depth--;
		if (key_next(&inner->last, &next))
			stretch_begin(
				set, &next, nest->depth > 0 ? nest->open[nest->depth - 1]->value : NULL);
	}
}

void address_set_finish(struct address_set *set)
{
	struct member **sorted = arena_alloc(set->arena, (set->members_count + 1) * sizeof(struct member *));
	struct nest nest = {.depth = 0};
	size_t count = 0;
	for (struct member *member = set->members; member != NULL; member = member->next)
		sorted[count++] = member;
	qsort(sorted, count, sizeof(struct member *), member_compare);
	set->stretches = arena_alloc(set->arena, (2 * count + 1) * sizeof(*set->stretches));
	for (size_t i = 0; i < count; i++) {
		close_before(set, &nest, &sorted[i]->first);
		/* Equal to the one it would be in. */
		if (nest.depth > 0 && nest.open[nest.depth - 1]->bits == sorted[i]->bits)
			continue;
		CHECK(nest.depth <= ADDRESS_BITS);
		nest.open[nest.depth++] = sorted[i];
		stretch_begin(set, &sorted[i]->first, sorted[i]->value);
	}
	close_before(set, &nest, NULL);
}

const char *address_set_find(const struct address_set *set, const struct endpoint *endpoint)
{
	if (endpoint->family != AF_INET && endpoint->family != AF_INET6)
		return NULL;
	struct key key = key_of(endpoint->family, endpoint->ip);
	size_t first = 0, count = set->count;
	/* How many stretches begin at the address or before. */
	while (count > 0) {
		size_t half = count / 2;
		if (key_compare(&set->stretches[first + half].first, &key) <= 0) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first > 0 ? set->stretches[first - 1].value : NULL;
}
