/* Cutting off what was relayed before.  The kernel gives a verdict whole packets, with the
 * part that an earlier one brought, or that was read before the socket was entered. */
#pragma once

#include "sockmap_flow.h"

enum {
	CUT_MAX = 0xfff, /* the most that bpf_skb_adjust_room() takes away at once */
	CUTS_MAX = 256, /* more than the largest packet needs */
};

struct cut {
	struct __sk_buff *skb;
	__u32 bytes; /* still to cut */
};

static long cut_step(__u32 index, struct cut *cut)
{
	__u32 step = cut->bytes > CUT_MAX ? CUT_MAX : cut->bytes;
	(void)index;
	if (step == 0 || bpf_skb_adjust_room(cut->skb, -(__s32)step, 0, 0) != 0)
		return 1;
	cut->bytes -= step;
	return 0;
}

static __always_inline void trim_start(struct __sk_buff *skb, struct sockmap_count *count, __u32 seq)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *tcp = sk == NULL ? NULL : bpf_skc_to_tcp_sock(sk);
	count->next_seq = tcp == NULL || !has_rule(SOCKMAP_RULE_START) ? seq : tcp->copied_seq;
	count->has_next = 1;
}

/* Leaves what is new of the packet, perhaps nothing.  False: it is spoilt. */
static __always_inline bool trim(struct __sk_buff *skb, struct sockmap_count *count)
{
	/* In sk_skb programs cb[] holds struct tcp_skb_cb, which begins with the sequence number. */
	__u32 seq = *(volatile __u32 *)&skb->cb[0], len = skb->len;
	if (!has_rule(SOCKMAP_RULE_TRIM))
		return true;
	if (!count->has_next)
		trim_start(skb, count, seq);
	__u32 old = count->next_seq - seq;
	if ((__s32)old < 0) {
		count->gaps++;
		count->next_seq = seq;
	} else if (old != 0) {
		struct cut cut = {.skb = skb, .bytes = old < len ? old : len};
		count->trims++;
		count->trimmed += cut.bytes;
		bpf_loop(CUTS_MAX, cut_step, &cut, 0);
		if (cut.bytes != 0)
			return false;
	}
	count->next_seq += skb->len;
	return true;
}
