/* The index of the wire table: entering and removing the legs of pairs.  The programs look
 * legs up at any time, so a slot changes by one atomic store. */

#include <errno.h>

#include "bpf/wire_internal.h"

static struct wire_place place_of(const struct wire_table *table, const struct wire_leg *leg)
{
	if (leg->far.family == AF_INET6) {
		struct wire_key6 key;
		wire_leg_key6(leg, &key);
		return wire_place_of(key.saddr, WIRE_KEY6_WORDS, table->seed, table->buckets_count);
	}
	struct wire_key4 key;
	wire_leg_key4(leg, &key);
	return wire_place_of(&key.saddr, WIRE_KEY4_WORDS, table->seed, table->buckets_count);
}

static __u64 slot_read(const __u64 *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static unsigned count_free(const struct wire_bucket *bucket)
{
	unsigned count = 0;
	for (unsigned i = 0; i < WIRE_SLOTS; i++)
		count += slot_read(&bucket->slots[i]) == 0;
	return count;
}

static bool has_tag(const struct wire_bucket *bucket, uint32_t tag)
{
	for (unsigned i = 0; i < WIRE_SLOTS; i++) {
		__u64 slot = slot_read(&bucket->slots[i]);
		if (slot != 0 && slot >> 32 == tag)
			return true;
	}
	return false;
}

/* Another thread may take a free slot first. */
static bool bucket_add(struct wire_bucket *bucket, __u64 entry)
{
	for (unsigned i = 0; i < WIRE_SLOTS; i++) {
		__u64 empty = 0;
		if (__atomic_compare_exchange_n(
			    &bucket->slots[i], &empty, entry, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* Another leg with the same tag, one in some billions, is refused as if it were the same. */
int wire_index_add(struct wire_table *table, const struct wire_leg *leg, wire_flow_id id)
{
	struct wire_place place = place_of(table, leg);
	struct wire_bucket *first = &table->buckets[place.buckets[0]],
			   *second = &table->buckets[place.buckets[1]];
	__u64 entry = (__u64)place.tag << 32 | (id + 1);
	if (has_tag(first, place.tag) || has_tag(second, place.tag))
		return -EEXIST;
	bool is_first_fuller = count_free(first) < count_free(second);
	if (bucket_add(is_first_fuller ? second : first, entry) ||
		bucket_add(is_first_fuller ? first : second, entry))
		return 0;
	return -ENOSPC;
}

void wire_index_del(struct wire_table *table, const struct wire_leg *leg, wire_flow_id id)
{
	struct wire_place place = place_of(table, leg);
	__u64 entry = (__u64)place.tag << 32 | (id + 1);
	for (unsigned b = 0; b < 2; b++)
		for (unsigned i = 0; i < WIRE_SLOTS; i++) {
			__u64 *slot = &table->buckets[place.buckets[b]].slots[i];
			if (slot_read(slot) == entry)
				__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
		}
}
