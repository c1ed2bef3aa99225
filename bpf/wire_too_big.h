/* Answers a packet that the way out does not take, as a router would: fragmentation
 * needed (RFC 792, 1191) or packet too big (RFC 4443), from the address that the sender
 * talks to.  The packet itself becomes the answer.
 *
 * Its TCP checksum may be one that is still to be filled in, over whatever lies behind
 * the start of the TCP header, and a program cannot see that.  So the quoted one is given
 * the value that filling in would give again: then the message's own sum is right in
 * either case.  Nobody can check the sum of a packet that was cut off. */
#pragma once

#include "wire_forward.h"

enum { ERROR_LEN = 8, MTU4_MIN = 552, MTU6_MIN = 1280 };
/* Bytes behind the quoted IP header: the message has 576 bytes, and 1280, at most. */
enum { QUOTED_V4 = 528, QUOTED_V6 = 1192, SUM_MAX = 512 };

struct error4 {
	struct iphdr ip;
	__u8 type, code;
	__u16 check, unused, mtu;
};

struct error6 {
	struct ipv6hdr ip;
	__u8 type, code;
	__u16 check;
	__u32 mtu;
};

/* Gives the TCP part that is left, `len` bytes, the sum described above, which is also
 * the complement of what those bytes then add to the message's. */
static __always_inline bool quote_seal(struct __sk_buff *skb, __u32 l4, const __u32 len, __u16 *ret_check)
{
	__u8 *tcp = header_at(skb, l4, len);
	__s64 sum = 0;
	if (tcp == NULL)
		return false;
	*(__u16 *)(tcp + TCP_CHECK) = 0;
#pragma unroll
	for (__u32 at = 0; at < len; at += SUM_MAX) {
		__u32 part = len - at < SUM_MAX ? len - at : SUM_MAX;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)(tcp + at), part, (__u32)sum);
	}
	/* c = -(others + c) modulo 65535 is half of -others. */
	__u32 negative = sum_finish(sum);
	__u32 check = negative & 1 ? (negative + 0xffff) >> 1 : negative >> 1;
	*ret_check = check == 0 ? 0xffff : (__u16)check;
	*(__u16 *)(tcp + TCP_CHECK) = *ret_check;
	return true;
}

static __always_inline bool error_write_v4(struct __sk_buff *skb, __u32 mtu)
{
	struct error4 error = {.type = ICMP4_UNREACHABLE, .code = 4, .mtu = bpf_htons((__u16)mtu)};
	struct iphdr quoted;
	__u16 check;
	if (mtu < MTU4_MIN || skb->len <= L4_V4 + QUOTED_V4)
		return false;
	if (bpf_skb_change_tail(skb, L4_V4 + QUOTED_V4, 0) != 0 || !quote_seal(skb, L4_V4, QUOTED_V4, &check))
		return false;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &quoted, sizeof(quoted)) != 0)
		return false;
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&quoted, sizeof(quoted), (__u16)~check);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&error.type, ERROR_LEN, (__u32)sum);
	error.check = sum_finish(sum);
	error.ip.version = 4;
	error.ip.ihl = 5;
	error.ip.tos = 0xc0;
	error.ip.tot_len = bpf_htons(sizeof(error) + sizeof(quoted) + QUOTED_V4);
	error.ip.frag_off = bpf_htons(0x4000);
	error.ip.ttl = ANSWER_HOPS;
	error.ip.protocol = IPPROTO_ICMP;
	error.ip.saddr = quoted.daddr;
	error.ip.daddr = quoted.saddr;
	error.ip.check = sum_finish(bpf_csum_diff(NULL, 0, (__be32 *)&error.ip, sizeof(error.ip), 0));
	if (bpf_skb_adjust_room(skb, sizeof(error), BPF_ADJ_ROOM_MAC, 0) != 0)
		return false;
	return bpf_skb_store_bytes(skb, ETH_HLEN, &error, sizeof(error), 0) == 0;
}

static __always_inline bool error_write_v6(struct __sk_buff *skb, __u32 mtu)
{
	struct error6 error = {.type = ICMP6_TOO_BIG, .mtu = bpf_htonl(mtu)};
	struct ipv6hdr quoted;
	__u16 check;
	__u16 len = bpf_htons(ERROR_LEN + sizeof(quoted) + QUOTED_V6);
	if (mtu < MTU6_MIN || skb->len <= L4_V6 + QUOTED_V6)
		return false;
	/* Beyond 64 KiB it is told when it comes again, alone. */
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &quoted, sizeof(quoted)) != 0 || quoted.nexthdr != IPPROTO_TCP)
		return false;
	if (bpf_skb_change_tail(skb, L4_V6 + QUOTED_V6, 0) != 0 || !quote_seal(skb, L4_V6, QUOTED_V6, &check))
		return false;
	error.ip.version = 6;
	error.ip.payload_len = len;
	error.ip.nexthdr = IPPROTO_ICMPV6;
	error.ip.hop_limit = ANSWER_HOPS;
	error.ip.saddr = quoted.daddr;
	error.ip.daddr = quoted.saddr;
	__s64 sum = (__u16)~check + (__u32)len + bpf_htons(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&quoted, sizeof(quoted), (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&error.ip.saddr, 32, (__u32)sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&error.type, ERROR_LEN, (__u32)sum);
	error.check = sum_finish(sum);
	if (bpf_skb_adjust_room(skb, sizeof(error), BPF_ADJ_ROOM_MAC, 0) != 0)
		return false;
	return bpf_skb_store_bytes(skb, ETH_HLEN, &error, sizeof(error), 0) == 0;
}

/* For a packet of direction `mine`.  Ways out below what IPv6 needs, or Linux believes for
 * IPv4, are not named to anybody.  Has a stack frame of its own. */
static __noinline int too_big_answer(struct __sk_buff *skb, struct wire_pair *pair, __u32 mine)
{
	struct wire_path *path = &pair->path[mine & 1];
	bool is_v6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	if (!is_answer_due(path))
		return DROP;
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
	if (is_v6 ? !error_write_v6(skb, path->mtu) : !error_write_v4(skb, path->mtu))
		return DROP;
	pair->cold[mine & 1].told++;
	return redirect(skb, &pair->path[(mine & 1) ^ 1]);
}
