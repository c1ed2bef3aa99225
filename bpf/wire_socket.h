/* DRAIN: what the local socket expects that a packet is for, and the resets that are left to it. */
#pragma once

#include "wire_note.h"

/* What the receiving socket expects and has sent. */
static __always_inline bool socket_find(
	struct __sk_buff *skb, const struct packet *packet, __u32 *ret_rcv_nxt, __u32 *ret_snd_nxt)
{
	struct bpf_sock_tuple tuple = {};
	const struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	__u32 len = packet->is_v6 ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4);
	if (tcp == NULL)
		return false;
	if (packet->is_v6) {
		const struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (ip == NULL)
			return false;
		__builtin_memcpy(tuple.ipv6.saddr, &ip->saddr, 16);
		__builtin_memcpy(tuple.ipv6.daddr, &ip->daddr, 16);
		tuple.ipv6.sport = tcp->source;
		tuple.ipv6.dport = tcp->dest;
	} else {
		const struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (ip == NULL)
			return false;
		tuple.ipv4.saddr = ip->saddr;
		tuple.ipv4.daddr = ip->daddr;
		tuple.ipv4.sport = tcp->source;
		tuple.ipv4.dport = tcp->dest;
	}
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, &tuple, len, BPF_F_CURRENT_NETNS, 0);
	if (sk == NULL)
		return false;
	/* When the connection's socket is gone, its listener is found. */
	struct bpf_tcp_sock *tcp_sock = sk->state == BPF_TCP_LISTEN ? NULL : bpf_tcp_sock(sk);
	bool is_found = tcp_sock != NULL;
	if (is_found) {
		*ret_rcv_nxt = tcp_sock->rcv_nxt;
		*ret_snd_nxt = tcp_sock->snd_nxt;
	}
	bpf_sk_release(sk);
	return is_found;
}

/* DRAIN: passing a reset on is the local socket's business, after the bytes that it still
 * holds.  The socket may not have seen all that was forwarded, so a reset that its far host
 * would believe is given the number that the socket expects. */
static __always_inline int reset_receive(
	struct __sk_buff *skb, const struct flow *flow, const struct packet *packet, enum verdict verdict)
{
	__u32 rcv_nxt, snd_nxt;
	__u64 sum = 0;
	if (verdict != NUMBERS_GOOD)
		return TO_STACK;
	if (!socket_find(skb, packet, &rcv_nxt, &snd_nxt))
		return DROP;
	struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return DROP;
	sum_replace(&sum, tcp->seq, bpf_htonl(rcv_nxt));
	tcp->seq = bpf_htonl(rcv_nxt);
	flow_tell(flow, WIRE_RST);
	if (packet->flags & FLAG_ACK && IS_AFTER(packet->ack, snd_nxt)) {
		sum_replace(&sum, tcp->ack_seq, bpf_htonl(snd_nxt));
		tcp->ack_seq = bpf_htonl(snd_nxt);
	}
	return bpf_l4_csum_replace(skb, packet->l4 + 16, 0, sum_fold(sum), 0) == 0 ? TO_STACK : DROP;
}
