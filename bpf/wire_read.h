/* Recognizes packets: whole TCP segments in plain IP are read, all others are the stack's. */
#pragma once

#include "wire_packet.h"

/* `len` are the bytes that IP says follow its header. */
static __always_inline bool packet_read_tcp(struct __sk_buff *skb, struct packet *packet, __u32 len)
{
	const struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return false;
	packet->header_len = tcp->doff * 4;
	packet->flags = ((const __u8 *)tcp)[13];
	packet->seq = bpf_ntohl(tcp->seq);
	packet->ack = bpf_ntohl(tcp->ack_seq);
	packet->window = bpf_ntohs(tcp->window);
	if (packet->header_len < TCP_MIN || packet->header_len > len)
		return false;
	packet->payload = len - packet->header_len;
	packet->end = packet->seq + packet->payload + !!(packet->flags & FLAG_FIN);
	return is_linear(skb, packet->l4 + packet->header_len);
}

/* False: not a whole TCP segment in plain IPv4; options and fragments are the stack's. */
static __always_inline bool packet_read_v4(struct __sk_buff *skb, struct packet *packet)
{
	if (!is_linear(skb, L4_V4 + TCP_MIN))
		return false;
	const struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (ip == NULL || *(const __u8 *)ip != 0x45 || ip->protocol != IPPROTO_TCP)
		return false;
	if (ip->frag_off & bpf_htons(0x3fff))
		return false;
	/* A merged packet beyond 64 KiB carries no length. */
	__u32 len = bpf_ntohs(ip->tot_len);
	if (len == 0 && skb->gso_size != 0)
		len = skb->len - ETH_HLEN;
	if (len < 20 || len > skb->len - ETH_HLEN)
		return false;
	packet->l4 = L4_V4;
	packet->is_v6 = false;
	return packet_read_tcp(skb, packet, len - 20);
}

/* The one extension header that is understood: what Linux puts into merged packets beyond
 * 64 KiB, and takes out again before they leave. */
static __always_inline bool is_jumbo(struct __sk_buff *skb)
{
	const struct jumbo_header *jumbo =
		is_linear(skb, L4_JUMBO + TCP_MIN) ? header_at(skb, L4_V6, sizeof(*jumbo)) : NULL;
	return jumbo != NULL && skb->gso_size != 0 && jumbo->next == IPPROTO_TCP && jumbo->len == 0 &&
		jumbo->type == JUMBO_TYPE && jumbo->type_len == sizeof(jumbo->payload) &&
		bpf_ntohl(jumbo->payload) == skb->len - L4_V6;
}

/* The same for IPv6; whatever has other extension headers is the stack's. */
static __always_inline bool packet_read_v6(struct __sk_buff *skb, struct packet *packet)
{
	if (!is_linear(skb, L4_V6 + TCP_MIN))
		return false;
	const struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (ip == NULL || ip->version != 6)
		return false;
	__u32 len = bpf_ntohs(ip->payload_len);
	__u8 next = ip->nexthdr;
	packet->is_v6 = true;
	if (next == IPPROTO_HOPOPTS && len == 0 && is_jumbo(skb)) {
		packet->l4 = L4_JUMBO;
		return packet_read_tcp(skb, packet, skb->len - L4_JUMBO);
	}
	/* Later kernels leave the length out instead. */
	if (len == 0 && skb->gso_size != 0)
		len = skb->len - L4_V6;
	if (next != IPPROTO_TCP || len > skb->len - L4_V6)
		return false;
	packet->l4 = L4_V6;
	return packet_read_tcp(skb, packet, len);
}

static __always_inline bool packet_read(struct __sk_buff *skb, struct packet *packet)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return packet_read_v4(skb, packet);
	return skb->protocol == bpf_htons(ETH_P_IPV6) && packet_read_v6(skb, packet);
}
