/* DRAIN: while a pair is handed over, the local sockets still wait for
 * acknowledgements of what they have sent.  Each forwarded packet therefore also goes
 * up the stack as a bare header, which comes back to our ingress with a mark and is
 * then made to fit the socket: no payload, no FIN, nothing it has not sent
 * acknowledged. */
#pragma once

#include "wire_socket.h"

/* Copies on their way to the local stack; that of a settled direction's acknowledgement. */
const volatile __u32 wire_copy_mark = 0x57435059, wire_copy_settled_mark = 0x5743505a;
/* One that fits the socket: a bridge's or a bond's own program, which sees it after its port's,
 * passes it. */
const volatile __u32 wire_copy_done_mark = 0x5743505b;

static __always_inline void copy_send(struct __sk_buff *skb, const struct flow *flow)
{
	__u32 mine = flow->direction & 1, mark = skb->mark;
	bool is_settled = flow->pair->path[mine ^ 1].flags & WIRE_IS_SETTLED;
	skb->mark = is_settled ? wire_copy_settled_mark : wire_copy_mark;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	skb->mark = mark;
	flow->pair->hot[mine].copies++;
}

/* Writes the IP length of a packet that ends with its TCP header, and adds the pseudo header to *sum. */
static __always_inline bool copy_write_ip(struct __sk_buff *skb, const struct packet *packet, __s64 *sum)
{
	struct {
		__u8 zero[3], protocol;
		__be32 len;
	} tail = {.protocol = IPPROTO_TCP, .len = bpf_htonl(packet->header_len)};
	*sum = bpf_csum_diff(NULL, 0, (__be32 *)&tail, sizeof(tail), *sum);
	if (packet->is_v6) {
		struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (ip == NULL)
			return false;
		__be32 addresses[8];
		__builtin_memcpy(addresses, &ip->saddr, sizeof(addresses));
		ip->payload_len = bpf_htons((__u16)packet->header_len);
		*sum = bpf_csum_diff(NULL, 0, addresses, sizeof(addresses), *sum);
		return true;
	}
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (ip == NULL)
		return false;
	__be32 addresses[2] = {ip->saddr, ip->daddr};
	__u64 change = 0;
	sum_replace(&change, ip->tot_len, bpf_htons((__u16)(20 + packet->header_len)));
	ip->tot_len = bpf_htons((__u16)(20 + packet->header_len));
	*sum = bpf_csum_diff(NULL, 0, addresses, sizeof(addresses), *sum);
	return bpf_l3_csum_replace(skb, ETH_HLEN + 10, 0, sum_fold(change), 0) == 0;
}

/* A probe repeats a number that the socket has: it is to be answered, and by the socket if by
 * nobody else (wire_drain.h).
 *
 * Our egress changed the TSval, so its echo means nothing to this socket: with a wrong
 * one its round-trip times, and so its retransmission timer, go astray. */
static __always_inline void copy_fit(
	__u8 *header, const struct packet *packet, bool is_settled, __u32 rcv_nxt, __u32 snd_nxt)
{
	__u32 *words = (__u32 *)header;
	bool is_probe = packet->end == packet->seq && IS_AFTER(rcv_nxt, packet->seq);
	words[1] = bpf_htonl(is_probe ? packet->seq : rcv_nxt);
	words[2] = bpf_htonl(is_settled || IS_AFTER(packet->ack, snd_nxt) ? snd_nxt : packet->ack);
	header[13] &= ~(FLAG_FIN | FLAG_PSH | FLAG_URG);
	if (packet->header_len >= TCP_MIN + 12 && words[5] == TIMESTAMPS_WORD)
		words[7] = 0;
	words[4] &= bpf_htonl(0x0000ffff);
}

static __always_inline int copy_write(struct __sk_buff *skb, const struct packet *packet, bool is_settled)
{
	__u32 header[TCP_MAX / 4] = {}, rcv_nxt, snd_nxt, len = packet->header_len;
	__s64 sum = 0;
	/* Of packets beyond 64 KiB the stack gets no copy: the next one acknowledges as well. */
	if (packet->flags & (FLAG_RST | FLAG_SYN) || len < TCP_MIN || len > TCP_MAX || packet->l4 == L4_JUMBO)
		return DROP;
	if (!socket_find(skb, packet, &rcv_nxt, &snd_nxt))
		return DROP;
	if (bpf_skb_load_bytes(skb, packet->l4, header, len) != 0)
		return DROP;
	copy_fit((__u8 *)header, packet, is_settled, rcv_nxt, snd_nxt);
	if (skb->len > packet->l4 + len && bpf_skb_change_tail(skb, packet->l4 + len, 0) != 0)
		return DROP;
	if (!copy_write_ip(skb, packet, &sum))
		return DROP;
	sum = bpf_csum_diff(NULL, 0, header, sizeof(header), sum);
	((__u16 *)header)[8] = sum_finish(sum);
	return bpf_skb_store_bytes(skb, packet->l4, header, len, 0) == 0 ? TC_ACT_OK : DROP;
}

static __always_inline bool is_copy(const struct __sk_buff *skb)
{
	return skb->mark == wire_copy_mark || skb->mark == wire_copy_settled_mark;
}

/* What to do with a copy that has come back.  Has a stack frame of its own, as all that is
 * rare and needs room. */
static __noinline int copy_receive(struct __sk_buff *skb)
{
	struct packet packet = {};
	bool is_settled = skb->mark == wire_copy_settled_mark;
	if (!packet_read(skb, &packet))
		return TO_STACK;
	skb->mark = wire_copy_done_mark;
	return copy_write(skb, &packet, is_settled);
}
