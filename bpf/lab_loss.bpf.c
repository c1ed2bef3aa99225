/* For test labs only: loses, repeats and delays packets at random as they arrive, or tags or
 * marks those that leave. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 loss_permille, repeat_permille, late_permille;

struct {
	__u64 seen, lost, repeated, late, tagged, marked, echoed;
} lab_counts;

enum { REPEATED_MARK = 0x4c414231, PRIORITY = 5 << 13 };
enum { TCP_FLAGS_V4 = ETH_HLEN + 20 + 13, TCP_FLAGS_V6 = ETH_HLEN + 40 + 13, FLAG_SYN = 2, FLAG_ECE = 64 };

/* Comes when the processor gets to it, behind others of the same batch. */
static __always_inline void repeat(struct __sk_buff *skb)
{
	skb->mark = REPEATED_MARK;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	skb->mark = 0;
}

SEC("tc")
int lab_loss(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	if (skb->mark == REPEATED_MARK)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&lab_counts.seen, 1);
	if (bpf_get_prandom_u32() % 1000 < loss_permille) {
		__sync_fetch_and_add(&lab_counts.lost, 1);
		return TC_ACT_SHOT;
	}
	if (bpf_get_prandom_u32() % 1000 < repeat_permille) {
		__sync_fetch_and_add(&lab_counts.repeated, 1);
		repeat(skb);
	}
	if (bpf_get_prandom_u32() % 1000 < late_permille) {
		__sync_fetch_and_add(&lab_counts.late, 1);
		repeat(skb);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int lab_tag(struct __sk_buff *skb)
{
	if (!skb->vlan_present && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), PRIORITY) == 0)
		__sync_fetch_and_add(&lab_counts.tagged, 1);
	return TC_ACT_UNSPEC;
}

/* Marks (CE) some of the packets that leave and may be marked (ECT). */
SEC("tc")
int lab_mark(struct __sk_buff *skb)
{
	if (bpf_get_prandom_u32() % 64 == 0 && bpf_skb_ecn_set_ce(skb))
		__sync_fetch_and_add(&lab_counts.marked, 1);
	return TC_ACT_UNSPEC;
}

/* Counts the segments that arrive and tell of marks: ECE without SYN. */
SEC("tc")
int lab_echo(struct __sk_buff *skb)
{
	__u8 flags = 0;
	__u32 at = skb->protocol == bpf_htons(ETH_P_IP) ? TCP_FLAGS_V4 : TCP_FLAGS_V6;
	if (bpf_skb_load_bytes(skb, at, &flags, 1) == 0 && (flags & (FLAG_ECE | FLAG_SYN)) == FLAG_ECE)
		__sync_fetch_and_add(&lab_counts.echoed, 1);
	return TC_ACT_UNSPEC;
}

char lab_license[] SEC("license") = "Dual MIT/GPL";
