/* ICMP errors about packets that were forwarded: the far host's router quotes a packet
 * with our address, which the host at the other end must get as its own.  Only ACTIVE,
 * and only when the quoted number is in flight, as Linux asks too; all other errors are
 * the stack's. */
#pragma once

#include "wire_forward.h"

enum { ICMP_LEN = 8, QUOTE_V4 = L4_V4 + ICMP_LEN, QUOTE_V6 = L4_V6 + ICMP_LEN };

struct quoted_tcp { /* RFC 792 promises no more */
	__u16 sport, dport;
	__u32 seq;
};

/* The pair was found by the quoted packet's destination, so flow->direction is the way back. */
static __always_inline bool icmp_accept(const struct quoted_tcp *tcp, const struct flow *flow)
{
	if (READ_ONCE(flow->pair->mode) != WIRE_ACTIVE)
		return false;
	const struct wire_pair *pair = flow->pair;
	__u32 back = flow->direction & 1, there = back ^ 1, seq = bpf_ntohl(tcp->seq);
	__u32 sent = (__u32)pair->hot[there].seq_max + pair->path[there].seq_delta;
	return !IS_AFTER((__u32)pair->hot[back].ack_max, seq) && !IS_AFTER(seq, sent);
}

/* Gives the quoted ports and number the far side's names. */
static __always_inline void quote_write(struct quoted_tcp *tcp, const struct wire_path *back, __u64 *sum)
{
	__u32 *words = (__u32 *)tcp;
	__u32 ports = (__u32)back->dport | (__u32)back->sport << 16;
	__u32 seq = bpf_htonl(bpf_ntohl(tcp->seq) + back->ack_delta);
	sum_replace(sum, words[0], ports);
	sum_replace(sum, words[1], seq);
	words[0] = ports;
	words[1] = seq;
}

static __always_inline bool icmp_write_v4(struct __sk_buff *skb, const struct wire_path *back)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, QUOTE_V4 + 28 - ETH_HLEN);
	__u64 outer = 0, inner = 0, sum = 0;
	if (ip == NULL)
		return false;
	struct iphdr *quoted = (void *)ip + QUOTE_V4 - ETH_HLEN;
	__u16 *life = (__u16 *)&ip->ttl, old = *life;
	ip->ttl--;
	sum_replace(&outer, old, *life);
	sum_replace(&outer, ip->saddr, back->saddr[0]);
	sum_replace(&outer, ip->daddr, back->daddr[0]);
	ip->saddr = back->saddr[0];
	ip->daddr = back->daddr[0];
	sum_replace(&inner, quoted->saddr, back->daddr[0]);
	sum_replace(&inner, quoted->daddr, back->saddr[0]);
	quoted->saddr = back->daddr[0];
	quoted->daddr = back->saddr[0];
	/* The quoted header's own sum balances its addresses. */
	quote_write((void *)(quoted + 1), back, &sum);
	return bpf_l3_csum_replace(skb, QUOTE_V4 + 10, 0, sum_fold(inner), 0) == 0 &&
		bpf_l4_csum_replace(skb, L4_V4 + 2, 0, sum_fold(sum), 0) == 0 &&
		bpf_l3_csum_replace(skb, ETH_HLEN + 10, 0, sum_fold(outer), 0) == 0;
}

static __always_inline void address_replace(struct in6_addr *address, const __u32 *new, __u64 *sum)
{
	__u32 *words = (__u32 *)address;
	for (int word = 0; word < 4; word++) {
		sum_replace(sum, words[word], new[word]);
		words[word] = new[word];
	}
}

static __always_inline bool icmp_write_v6(struct __sk_buff *skb, const struct wire_path *back)
{
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, QUOTE_V6 + 48 - ETH_HLEN);
	__u64 outer = 0, sum = 0, life_sum = 0;
	if (ip == NULL)
		return false;
	struct ipv6hdr *quoted = (void *)ip + QUOTE_V6 - ETH_HLEN;
	__u16 *life = (__u16 *)&ip->nexthdr, old = *life;
	ip->hop_limit--;
	sum_replace(&life_sum, old, *life);
	address_replace(&ip->saddr, back->saddr, &outer);
	address_replace(&ip->daddr, back->daddr, &outer);
	address_replace(&quoted->saddr, back->daddr, &sum);
	address_replace(&quoted->daddr, back->saddr, &sum);
	quote_write((void *)(quoted + 1), back, &sum);
	bpf_csum_update(skb, sum_fold(outer + life_sum)); /* as in write_v6() */
	return bpf_l4_csum_replace(skb, L4_V6 + 2, 0, sum_fold(outer), BPF_F_PSEUDO_HDR) == 0 &&
		bpf_l4_csum_replace(skb, L4_V6 + 2, 0, sum_fold(sum), 0) == 0;
}

static __always_inline bool icmp_find_v4(struct __sk_buff *skb, struct flow *flow)
{
	const struct iphdr *ip =
		is_linear(skb, QUOTE_V4 + 28) ? header_at(skb, ETH_HLEN, QUOTE_V4 + 28 - ETH_HLEN) : NULL;
	if (ip == NULL || *(const __u8 *)ip != 0x45 || ip->protocol != IPPROTO_ICMP || ip->ttl <= 1)
		return false;
	const struct iphdr *quoted = (const void *)ip + QUOTE_V4 - ETH_HLEN;
	const struct quoted_tcp *tcp = (const void *)(quoted + 1);
	__u8 type = *(const __u8 *)(ip + 1);
	if (type != ICMP4_UNREACHABLE && type != ICMP4_EXCEEDED && type != ICMP4_PARAMETER)
		return false;
	if (ip->frag_off & bpf_htons(0x3fff) || *(const __u8 *)quoted != 0x45 ||
		quoted->protocol != IPPROTO_TCP || quoted->frag_off & bpf_htons(0x1fff))
		return false;
	struct wire_key4 key = {
		.saddr = quoted->daddr, .daddr = quoted->saddr, .sport = tcp->dport, .dport = tcp->sport};
	return flow_find4(&key, flow) && icmp_accept(tcp, flow);
}

static __always_inline bool icmp_find_v6(struct __sk_buff *skb, struct flow *flow)
{
	const struct ipv6hdr *ip =
		is_linear(skb, QUOTE_V6 + 48) ? header_at(skb, ETH_HLEN, QUOTE_V6 + 48 - ETH_HLEN) : NULL;
	if (ip == NULL || ip->version != 6 || ip->nexthdr != IPPROTO_ICMPV6 || ip->hop_limit <= 1)
		return false;
	const struct ipv6hdr *quoted = (const void *)ip + QUOTE_V6 - ETH_HLEN;
	const struct quoted_tcp *tcp = (const void *)(quoted + 1);
	__u8 type = *(const __u8 *)(ip + 1);
	if (type == 0 || type > ICMP6_LAST || quoted->version != 6 || quoted->nexthdr != IPPROTO_TCP)
		return false;
	struct wire_key6 key = {.sport = tcp->dport, .dport = tcp->sport};
	__builtin_memcpy(key.saddr, &quoted->daddr, 16);
	__builtin_memcpy(key.daddr, &quoted->saddr, 16);
	return flow_find6(&key, flow) && icmp_accept(tcp, flow);
}

static __always_inline int icmp_return(struct __sk_buff *skb, const struct flow *flow)
{
	flow->pair->cold[(flow->direction & 1) ^ 1].icmp++;
	return redirect(skb, &flow->pair->path[flow->direction & 1]);
}

/* One for each family, with a stack frame of its own. */
static __noinline int icmp_ingress_v4(struct __sk_buff *skb)
{
	struct flow flow = {};
	if (!icmp_find_v4(skb, &flow))
		return TO_STACK;
	return icmp_write_v4(skb, &flow.pair->path[flow.direction & 1]) ? icmp_return(skb, &flow) : DROP;
}

static __noinline int icmp_ingress_v6(struct __sk_buff *skb)
{
	struct flow flow = {};
	if (!icmp_find_v6(skb, &flow))
		return TO_STACK;
	return icmp_write_v6(skb, &flow.pair->path[flow.direction & 1]) ? icmp_return(skb, &flow) : DROP;
}
