/* Splices TCP connections at the packet level: what arrives for a pair of the table is
 * given the addresses and numbers of the other leg and sent on, past the sockets.
 *
 * wire_ingress and wire_egress belong on every Ethernet interface that carries a leg.
 * Whatever they do not understand, or do not know, goes to the stack untouched.  A
 * packet's length never changes.  src/bpf/wire.c loads this; what is spliced, and
 * when, is decided in user space. */

#include "wire_drain.h"
#include "wire_forward.h"
#include "wire_icmp.h"
#include "wire_snapshot.h"
#include "wire_syn.h"
#include "wire_too_big.h"

#define PACKET_FOR_US 0 /* PACKET_HOST */
#define NOT_TCP       (-2) /* no answer to the kernel */

/* A tag of 0 only carries a priority; any other belongs to a VLAN's own interface, which
 * sees the packet next, without its tag. */
static __always_inline bool is_for_other(const struct __sk_buff *skb)
{
	if (skb->pkt_type != PACKET_FOR_US)
		return true;
	return skb->vlan_present && (skb->vlan_tci & VLAN_ID_MASK) != 0;
}

static __always_inline void count_forwarded(struct wire_hot *hot)
{
	__sync_fetch_and_add(&hot->packets, 1);
	hot->last_ns = bpf_ktime_get_coarse_ns();
}

static __always_inline int icmp_ingress(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return icmp_ingress_v4(skb);
	return skb->protocol == bpf_htons(ETH_P_IPV6) ? icmp_ingress_v6(skb) : TO_STACK;
}

/* Why this packet of a spliced pair cannot be forwarded: a reason counter, or NULL. */
static __always_inline __u32 *find_obstacle(struct __sk_buff *skb, const struct flow *flow,
	const struct packet *packet, bool is_drain, enum verdict verdict)
{
	__u32 mine = flow->direction & 1;
	struct wire_cold *cold = &flow->pair->cold[mine];
	if (hop_limit(skb, packet) <= 1)
		return &cold->expired;
	/* Before the size, so that only what may be the far host's own is answered. */
	if (verdict == NUMBERS_OUTSIDE)
		return &cold->outside;
	if (is_too_big(skb, packet, flow->pair->path[mine].mtu))
		return &cold->too_big;
	/* Only the local socket is sure to have them, and it acknowledges at once. */
	if (is_drain && is_stale(&flow->pair->path[mine], packet))
		return &cold->stale;
	return NULL;
}

static __always_inline int splice(
	struct __sk_buff *skb, const struct flow *flow, struct packet *packet, bool is_drain)
{
	__u32 mine = flow->direction & 1;
	struct wire_cold *cold = &flow->pair->cold[mine];
	struct options options = {.path = &flow->pair->path[mine], .is_drain = is_drain};
	enum verdict verdict = flow_judge(flow, packet);
	__u32 *obstacle = find_obstacle(skb, flow, packet, is_drain, verdict);
	if (obstacle != NULL) {
		(*obstacle)++;
		if (is_drain || obstacle == &cold->expired)
			return TO_STACK;
		return obstacle == &cold->too_big ? too_big_answer(skb, flow->pair, mine) : DROP;
	}
	__u32 lag = is_drain ? lag_of(flow, packet) : 0;
	options.has_sack_removed = lag != 0;
	if (!has_only_timestamps(skb, packet) && !options_read(skb, packet, &options)) {
		cold->malformed++;
		return TO_STACK;
	}
	if (is_drain && packet->flags & FLAG_RST)
		return reset_receive(skb, flow, packet, verdict);
	if (is_drain)
		copy_send(skb, flow);
	if (verdict == NUMBERS_GOOD)
		note_numbers(flow, packet);
	if (is_drain && verdict == NUMBERS_GOOD)
		edge_note(flow, packet);
	if (is_drain)
		packet->seq = sequence_fit(flow, packet);
	count_forwarded(&flow->pair->hot[mine]);
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
	if (!translate(skb, flow, packet, &options, lag))
		return DROP;
	return redirect(skb, options.path);
}

static __always_inline int take_syn(
	struct __sk_buff *skb, const struct flow *flow, const struct packet *packet, __u32 mode)
{
	__u32 mine = flow->direction & 1;
	bool is_settled = mode != WIRE_ACTIVE || is_over(flow->pair);
	flow->pair->cold[mine].syn++;
	if (!is_answer_due(&flow->pair->path[mine]))
		return is_settled ? TO_STACK : DROP;
	flow_tell(flow, WIRE_SYN);
	if (is_settled)
		return TO_STACK;
	return packet->payload == 0 && !(packet->flags & FLAG_RST) ? syn_answer(skb, flow->pair, mine) : DROP;
}

/* Everything big is below this, so that no two big stack frames are on top of each other. */
static __noinline int tcp_ingress(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct flow flow = {};
	if (!packet_read(skb, &packet))
		return NOT_TCP;
	if (!flow_find(skb, &packet, false, &flow))
		return TO_STACK;
	__u32 mode = READ_ONCE(flow.pair->mode);
	if (mode == WIRE_OFF)
		return TO_STACK;
	if (packet.flags & FLAG_SYN)
		return take_syn(skb, &flow, &packet, mode);
	if (mode == WIRE_WATCH) {
		note_watched(&flow, &packet);
		if (hop_limit(skb, &packet) <= 1)
			state_add(&flow.pair->hot[flow.direction & 1], WIRE_SHORT_LIVED);
		return TO_STACK;
	}
	/* Mostly a question about our reset, perhaps before that call has returned: the stack has no
	 * socket any more, and answers with the number that is expected. */
	if (mode == WIRE_CLOSED)
		return TO_STACK;
	return splice(skb, &flow, &packet, mode == WIRE_DRAIN);
}

SEC("tc")
int wire_ingress(struct __sk_buff *skb)
{
	if (is_abandoned() || is_for_other(skb) || skb->mark == wire_copy_done_mark)
		return TO_STACK;
	if (is_copy(skb))
		return copy_receive(skb);
	int result = tcp_ingress(skb);
	return result == NOT_TCP ? icmp_ingress(skb) : result;
}

/* CLOSED: the socket knows only what passed before it was frozen.  The far host believes a
 * reset with the number that it expects next, which is what it has acknowledged, and asks back
 * about any other in its window; then there is no socket any more and the stack's answer is
 * exact.  What has been sent to it may end beyond the window of one that does not read, and
 * about that it would not even ask. */
static __always_inline int egress_reset(
	struct __sk_buff *skb, const struct flow *flow, const struct packet *packet)
{
	const struct wire_hot *hot = &flow->pair->hot[flow->direction & 1];
	__u32 seq = bpf_htonl((__u32)hot->ack_max), ack = bpf_htonl((__u32)hot->seq_max);
	__u64 sum = 0;
	struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return DROP;
	sum_replace(&sum, tcp->seq, seq);
	tcp->seq = seq;
	sum_replace(&sum, tcp->ack_seq, ack);
	tcp->ack_seq = ack;
	return bpf_l4_csum_replace(skb, packet->l4 + 16, 0, sum_fold(sum), 0) == 0 ? TO_STACK : DROP;
}

/* Packets of our own sockets; those that are forwarded have come in by some interface. */
SEC("tc")
int wire_egress(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct flow flow = {};
	if (is_abandoned() || skb->ingress_ifindex != 0 || !packet_read(skb, &packet) ||
		!flow_find(skb, &packet, true, &flow))
		return TO_STACK;
	__u32 mode = READ_ONCE(flow.pair->mode);
	if (mode == WIRE_OFF || mode == WIRE_WATCH)
		return TO_STACK;
	if (mode == WIRE_CLOSED && packet.flags & FLAG_RST)
		return packet.flags & FLAG_ACK ? egress_reset(skb, &flow, &packet) : TO_STACK;
	if (mode == WIRE_DRAIN)
		return packet.flags & (FLAG_RST | FLAG_SYN) ? TO_STACK : egress_fit(skb, &flow, &packet);
	flow.pair->cold[flow.direction & 1].frozen++;
	return DROP;
}

/* Answers 0 when both sockets were found. */
SEC("tc")
int wire_snapshot(struct __sk_buff *skb)
{
	struct wire_query query;
	if (bpf_skb_load_bytes(skb, 0, &query, sizeof(query)) != 0)
		return 1;
	__builtin_memset(query.ret, 0, sizeof(query.ret));
	snapshot_take(skb, &query, 0);
	snapshot_take(skb, &query, 1);
	if (bpf_skb_store_bytes(skb, 0, &query, sizeof(query), 0) != 0)
		return 2;
	return query.ret[0].tcp_state != 0 && query.ret[1].tcp_state != 0 ? 0 : 3;
}

char wire_license[] SEC("license") = "Dual MIT/GPL";
