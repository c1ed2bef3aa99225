/* The tables, and how a packet finds its pair. */
#pragma once

#include "shared/wire_index.h"
#include "wire_read.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_bucket);
} wire_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_pair);
} wire_pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} wire_events SEC(".maps");

struct flow {
	struct wire_pair *pair;
	__u32 index;
	__u32 direction;
};

/* Of the index. */
const volatile __u32 wire_buckets = 1;
const volatile __u64 wire_seed = 0;

enum { FAMILY_V4 = 2, FAMILY_V6 = 10 }; /* AF_INET, AF_INET6 */

/* Only a candidate, until its addresses have been compared. */
static __always_inline bool bucket_find(__u32 bucket, __u32 tag, struct flow *flow)
{
	const struct wire_bucket *found = bpf_map_lookup_elem(&wire_index, &bucket);
	__u32 id = 0;
	if (found == NULL)
		return false;
#pragma unroll
	for (int i = 0; i < WIRE_SLOTS; i++) {
		__u64 slot = READ_ONCE(found->slots[i]);
		id = (__u32)(slot >> 32) == tag && slot != 0 ? (__u32)slot : id;
	}
	if (id == 0)
		return false;
	flow->index = (id - 1) >> 1;
	flow->direction = (id - 1) & 1;
	flow->pair = bpf_map_lookup_elem(&wire_pairs, &flow->index);
	return flow->pair != NULL;
}

/* What leaves on a leg has the addresses of what arrives there, turned round. */
static __always_inline bool is_of_key4(const struct flow *flow, const struct wire_key4 *key)
{
	const struct wire_path *back = &flow->pair->path[(flow->direction & 1) ^ 1];
	return flow->pair->family == FAMILY_V4 && back->daddr[0] == key->saddr &&
		back->saddr[0] == key->daddr && back->dport == key->sport && back->sport == key->dport;
}

static __always_inline bool is_of_key6(const struct flow *flow, const struct wire_key6 *key)
{
	const struct wire_path *back = &flow->pair->path[(flow->direction & 1) ^ 1];
	__u32 difference = 0;
	for (int i = 0; i < 4; i++)
		difference |= (back->daddr[i] ^ key->saddr[i]) | (back->saddr[i] ^ key->daddr[i]);
	return flow->pair->family == FAMILY_V6 && difference == 0 && back->dport == key->sport &&
		back->sport == key->dport;
}

static __always_inline bool flow_find4(const struct wire_key4 *key, struct flow *flow)
{
	struct wire_place place = wire_place_of((const __u32 *)key, WIRE_KEY4_WORDS, wire_seed, wire_buckets);
	if (bucket_find(place.buckets[0], place.tag, flow) && is_of_key4(flow, key))
		return true;
	return bucket_find(place.buckets[1], place.tag, flow) && is_of_key4(flow, key);
}

static __always_inline bool flow_find6(const struct wire_key6 *key, struct flow *flow)
{
	struct wire_place place = wire_place_of((const __u32 *)key, WIRE_KEY6_WORDS, wire_seed, wire_buckets);
	if (bucket_find(place.buckets[0], place.tag, flow) && is_of_key6(flow, key))
		return true;
	return bucket_find(place.buckets[1], place.tag, flow) && is_of_key6(flow, key);
}

static __always_inline bool flow_find(
	struct __sk_buff *skb, const struct packet *packet, bool is_leaving, struct flow *ret_flow)
{
	const struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return false;
	__u16 sport = is_leaving ? tcp->dest : tcp->source;
	__u16 dport = is_leaving ? tcp->source : tcp->dest;
	if (packet->is_v6) {
		const struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (ip == NULL)
			return false;
		struct wire_key6 key = {.sport = sport, .dport = dport};
		__builtin_memcpy(key.saddr, is_leaving ? &ip->daddr : &ip->saddr, 16);
		__builtin_memcpy(key.daddr, is_leaving ? &ip->saddr : &ip->daddr, 16);
		return flow_find6(&key, ret_flow);
	}
	const struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (ip == NULL)
		return false;
	struct wire_key4 key = {.saddr = is_leaving ? ip->daddr : ip->saddr,
		.daddr = is_leaving ? ip->saddr : ip->daddr,
		.sport = sport,
		.dport = dport};
	return flow_find4(&key, ret_flow);
}
