/* A SYN for a pair: the far host has forgotten the connection, or waits for the end of its
 * handshake, or it is forged.  The sockets are frozen, so the answer is made here: a bare
 * acknowledgement with the numbers of the connection as it is (RFC 5961 section 4.2).  Who has
 * forgotten answers with a reset that the other end believes; who has not takes it for a
 * repetition.  The packet itself becomes the answer, its options paddings. */
#pragma once

#include "wire_forward.h"

/* Connections that are over are user space's to clear away. */
static __always_inline bool is_over(const struct wire_pair *pair)
{
	__u32 both = READ_ONCE(pair->hot[0].state) & READ_ONCE(pair->hot[1].state);
	__u32 any = READ_ONCE(pair->hot[0].state) | READ_ONCE(pair->hot[1].state);
	return any & WIRE_RST || (both & (WIRE_FIN | WIRE_FINACK)) == (WIRE_FIN | WIRE_FINACK);
}

static __always_inline void syn_fill(__u8 *header, __u32 len, const struct wire_pair *pair, __u32 mine)
{
	__u32 *words = (__u32 *)header, other = (mine & 1) ^ 1;
	const struct wire_hot *far = &pair->hot[other];
	const struct wire_path *back = &pair->path[other];
	__u32 seq = (__u32)far->seq_max + back->seq_delta;
	__u32 window = window_of(far) >> (back->scale_in & 15);
	words[0] = words[0] >> 16 | words[0] << 16;
	/* One less, so that who has not forgotten takes no window from it. */
	words[1] = bpf_htonl(header[13] & FLAG_ACK ? seq : seq - 1);
	words[2] = bpf_htonl((__u32)far->ack_max + back->ack_delta);
	header[13] = FLAG_ACK;
	((__u16 *)header)[7] = bpf_htons(window > 65535 ? 65535 : (__u16)window);
	((__u16 *)header)[9] = 0;
	for (__u32 at = TCP_MIN; at < TCP_MAX; at++)
		header[at] = at < len ? OPTION_NOP : 0;
}

/* Swapped addresses change no sum, a new hop limit does. */
static __always_inline bool syn_turn_v4(struct __sk_buff *skb)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	__u64 change = 0;
	if (ip == NULL)
		return false;
	__u32 from = ip->saddr;
	__u16 *life = (__u16 *)&ip->ttl, old = *life;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	ip->ttl = ANSWER_HOPS;
	sum_replace(&change, old, *life);
	return bpf_l3_csum_replace(skb, ETH_HLEN + 10, 0, sum_fold(change), 0) == 0;
}

static __always_inline bool syn_turn_v6(struct __sk_buff *skb)
{
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	__u64 change = 0;
	if (ip == NULL)
		return false;
	struct in6_addr from = ip->saddr;
	__u16 *life = (__u16 *)&ip->nexthdr, old = *life;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	ip->hop_limit = ANSWER_HOPS;
	sum_replace(&change, old, *life);
	bpf_csum_update(skb, sum_fold(change)); /* as in write_v6() */
	return true;
}

/* For a SYN of direction `mine` without payload.  Has a stack frame of its own. */
static __noinline int syn_answer(struct __sk_buff *skb, struct wire_pair *pair, __u32 mine)
{
	__u8 header[TCP_MAX] __attribute__((aligned(4))) = {};
	bool is_v6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	__u32 l4 = is_v6 ? L4_V6 : L4_V4;
	if (bpf_skb_load_bytes(skb, l4, header, TCP_MIN) != 0)
		return DROP;
	__u32 len = header[12] >> 4 << 2;
	if (len < TCP_MIN || len > TCP_MAX || bpf_skb_load_bytes(skb, l4, header, len) != 0)
		return DROP;
	__s64 sum = bpf_csum_diff((__be32 *)header, TCP_MAX, NULL, 0, 0);
	syn_fill(header, len, pair, mine);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)header, TCP_MAX, (__u32)sum);
	if (bpf_skb_store_bytes(skb, l4, header, len, 0) != 0 ||
		bpf_l4_csum_replace(skb, l4 + TCP_CHECK, 0, (__u32)sum, 0) != 0)
		return DROP;
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
	if (is_v6 ? !syn_turn_v6(skb) : !syn_turn_v4(skb))
		return DROP;
	return redirect(skb, &pair->path[(mine & 1) ^ 1]);
}
