/* The tables, and how a packet finds its pair. */
#pragma once

#include "wire_read.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, struct wire_key4);
	__type(value, wire_flow_id);
} wire_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, struct wire_key6);
	__type(value, wire_flow_id);
} wire_flows6 SEC(".maps");

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

static __always_inline bool flow_find(
	struct __sk_buff *skb, const struct packet *packet, bool is_leaving, struct flow *ret_flow)
{
	const struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	const wire_flow_id *id;
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
		id = bpf_map_lookup_elem(&wire_flows6, &key);
	} else {
		const struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (ip == NULL)
			return false;
		struct wire_key4 key = {.saddr = is_leaving ? ip->daddr : ip->saddr,
			.daddr = is_leaving ? ip->saddr : ip->daddr,
			.sport = sport,
			.dport = dport};
		id = bpf_map_lookup_elem(&wire_flows4, &key);
	}
	if (id == NULL)
		return false;
	ret_flow->index = *id >> 1;
	ret_flow->direction = *id & 1;
	ret_flow->pair = bpf_map_lookup_elem(&wire_pairs, &ret_flow->index);
	return ret_flow->pair != NULL;
}
