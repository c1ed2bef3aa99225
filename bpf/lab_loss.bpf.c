/* For test labs only: loses and repeats packets at random as they arrive. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 loss_permille, repeat_permille;

struct {
	__u64 seen, lost, repeated;
} lab_counts;

enum { REPEATED_MARK = 0x4c414231 };

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
		/* The repetition comes when the processor gets to it, so order suffers too. */
		__sync_fetch_and_add(&lab_counts.repeated, 1);
		skb->mark = REPEATED_MARK;
		bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
		skb->mark = 0;
	}
	return TC_ACT_UNSPEC;
}

char lab_license[] SEC("license") = "Dual MIT/GPL";
