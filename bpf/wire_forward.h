/* Translates a segment and sends it on.
 *
 * Checksums are only ever changed by differences and by helpers: a packet may carry a
 * full sum, one that the card has verified over the whole packet, or none but that of
 * its pseudo header.  Changes inside what TCP's sum covers cancel out for the card's;
 * IPv4's addresses cancel in the header's own sum.  IPv6 has none, so there the
 * helper's correction for the addresses is taken back, which needs no BPF_F_IPV6. */
#pragma once

#include "wire_copy.h"
#include "wire_note.h"
#include "wire_options.h"

static __always_inline __u32 hop_limit(struct __sk_buff *skb, const struct packet *packet)
{
	const __u8 *ip = header_at(skb, ETH_HLEN, 20);
	if (ip == NULL)
		return 0;
	return packet->is_v6 ? ip[7] : ip[8];
}

/* Segments of a merged packet leave one by one. */
static __always_inline bool is_too_big(struct __sk_buff *skb, const struct packet *packet, __u32 mtu)
{
	__u32 payload = skb->gso_size != 0 ? skb->gso_size : packet->payload;
	return mtu != 0 && (packet->is_v6 ? 40 : 20) + packet->header_len + payload > mtu;
}

/* Ports, numbers, and, while the local stack is ahead of the far end, its acknowledgement:
 * the window ends where the far end said.  Sets *ret_window to what is sent. */
static __always_inline void write_numbers(
	struct tcphdr *tcp, const struct packet *packet, const struct wire_path *path, __u32 lag, __u64 *sum)
{
	__u32 *words = (__u32 *)tcp;
	__u32 value = (__u32)path->sport | (__u32)path->dport << 16;
	sum_replace(sum, words[0], value);
	words[0] = value;
	value = bpf_htonl(packet->seq + path->seq_delta);
	sum_replace(sum, words[1], value);
	words[1] = value;
	if (packet->flags & FLAG_ACK) {
		value = bpf_htonl(packet->ack + path->ack_delta + lag);
		sum_replace(sum, words[2], value);
		words[2] = value;
	}
	if (lag != 0) {
		__u32 window = (__u32)packet->window << (path->scale_in & 15);
		window = window > lag ? (window - lag) >> (path->scale_out & 15) : 0;
		__u16 field = bpf_htons((__u16)window);
		sum_replace(sum, tcp->window, field);
		tcp->window = field;
	}
}

static __always_inline bool write_v4(struct __sk_buff *skb, const struct wire_path *path)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	__u64 change = path->address_csum;
	if (ip == NULL)
		return false;
	__u16 *life = (__u16 *)&ip->ttl, old = *life;
	ip->ttl--;
	sum_replace(&change, old, *life);
	ip->saddr = path->saddr[0];
	ip->daddr = path->daddr[0];
	return bpf_l3_csum_replace(skb, ETH_HLEN + 10, 0, sum_fold(change), 0) == 0;
}

static __always_inline bool write_v6(struct __sk_buff *skb, const struct wire_path *path)
{
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	__u64 change = path->address_csum;
	if (ip == NULL)
		return false;
	__u16 *life = (__u16 *)&ip->nexthdr, old = *life;
	ip->hop_limit--;
	sum_replace(&change, old, *life);
	__builtin_memcpy(&ip->saddr, path->saddr, 16);
	__builtin_memcpy(&ip->daddr, path->daddr, 16);
	bpf_csum_update(skb, sum_fold(change)); /* refuses unless the card gave a sum: then there is none */
	return true;
}

static __always_inline int redirect(struct __sk_buff *skb, const struct wire_path *path)
{
	struct bpf_redir_neigh neigh = {.nh_family = path->next_hop_family};
	__u32 kind = path->redirect;
	if (kind == WIRE_REDIRECT_PEER)
		return bpf_redirect_peer(path->ifindex, 0);
	if (kind == WIRE_REDIRECT_FIB)
		return bpf_redirect_neigh(path->ifindex, NULL, 0, 0);
	if (kind == WIRE_REDIRECT_MAC) {
		struct ethhdr *ethernet = header_at(skb, 0, sizeof(*ethernet));
		if (ethernet == NULL)
			return DROP;
		__builtin_memcpy(ethernet->h_dest, path->mac.to, ETH_ALEN);
		__builtin_memcpy(ethernet->h_source, path->mac.from, ETH_ALEN);
		return bpf_redirect(path->ifindex, 0);
	}
	__builtin_memcpy(neigh.ipv6_nh, path->next_hop, 16);
	return bpf_redirect_neigh(path->ifindex, &neigh, sizeof(neigh), 0);
}

static __always_inline void note_forwarded(
	struct wire_hot *hot, const struct tcphdr *tcp, __u32 tsval, bool has_tsval)
{
	hot->last_window = tcp->window;
	if (has_tsval && (IS_AFTER(tsval, hot->last_tsval) || !(hot->state & WIRE_FORWARDED)))
		hot->last_tsval = tsval;
	hot->state |= WIRE_FORWARDED;
}

/* False leaves a packet that can only be dropped. */
static __always_inline bool translate(struct __sk_buff *skb, const struct flow *flow,
	const struct packet *packet, struct options *options, __u32 lag)
{
	const struct wire_path *path = options->path;
	__u64 sum = 0;
	if (!options_write(skb, packet, options, &sum))
		return false;
	struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return false;
	write_numbers(tcp, packet, path, lag, &sum);
	if (options->len == 0 && packet->header_len == TCP_MIN + 12 && path->flags & WIRE_HAS_TIMESTAMPS) {
		__u32 *words = header_at(skb, packet->l4 + TCP_MIN, 12);
		if (words == NULL)
			return false;
		timestamps_write(words, path, &sum);
		options->tsval = bpf_ntohl(words[1]);
		options->has_tsval = true;
	}
	if (options->is_drain)
		note_forwarded(
			&flow->pair->hot[flow->direction & 1], tcp, options->tsval, options->has_tsval);
	__u32 check = packet->l4 + 16;
	if (bpf_l4_csum_replace(skb, check, 0, path->address_csum, BPF_F_PSEUDO_HDR) != 0 ||
		bpf_l4_csum_replace(skb, check, 0, sum_fold(sum), 0) != 0)
		return false;
	return packet->is_v6 ? write_v6(skb, path) : write_v4(skb, path);
}

/* How far the local stack's acknowledgement on the way out is ahead. */
static __always_inline __u32 lag_of(const struct flow *flow, const struct packet *packet)
{
	const struct wire_pair *pair = flow->pair;
	__u32 mine = flow->direction & 1;
	__s32 lag = (__s32)(pair->path[mine ^ 1].boundary - (packet->ack + pair->path[mine].ack_delta));
	return lag > 0 && packet->flags & FLAG_ACK ? lag : 0;
}
