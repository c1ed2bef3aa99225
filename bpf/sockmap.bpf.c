/* Relays TCP between sockets: what arrives on a source goes into its target's send queue
 * by a kernel worker, without user space, as long as that loses, repeats, reorders and
 * hoards nothing; else it is passed to user space, which reads it as ever.
 *
 * sockmap_verdict judges packets, sockmap_leave takes sources out of the table under their
 * socket lock, sockmap_look reads a target.  src/bpf/sockmap.c loads this, and
 * src/bpf/sockmap.h says what user space must do. */

#include "sockmap_room.h"
#include "sockmap_trim.h"

enum { STUCK_MAX = 32 << 20 }; /* bytes */

static __always_inline void trouble(const struct flow *flow, __u32 what)
{
	flow->count->trouble |= what;
	flow_tell(flow, SOCKMAP_BEHIND);
}

/* Bytes that are passed while others wait in the socket's own queue wait there too, charged
 * to nobody: the window stays open.  Those charged are at most the receive buffer's size,
 * so what is unread beyond that waits there.  The room rule keeps that queue moving; if it
 * does not, the connection must go. */
static __always_inline void note_own_queue(struct __sk_buff *skb, const struct flow *flow)
{
	struct sockmap_count *count = flow->count;
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *tcp = sk == NULL ? NULL : bpf_skc_to_tcp_sock(sk);
	if (tcp == NULL)
		return;
	__u32 queue = socket_queue(tcp);
	if (queue == 0)
		return;
	count->behind++;
	if (queue > count->behind_max)
		count->behind_max = queue;
	__u64 unread = count->passed - READ_ONCE(flow->order->taken);
	if (unread > (__u64)tcp->inet_conn.icsk_inet.sk.sk_rcvbuf + STUCK_MAX)
		trouble(flow, SOCKMAP_STUCK);
}

static __always_inline int pass(struct __sk_buff *skb, const struct flow *flow)
{
	note_own_queue(skb, flow);
	flow->count->passed_packets++;
	__sync_fetch_and_add(&flow->count->passed, skb->len);
	return SK_PASS;
}

static __always_inline int refuse(struct __sk_buff *skb, const struct flow *flow, enum sockmap_cause cause)
{
	struct sockmap_count *count = flow->count;
	if (cause < SOCKMAP_CAUSES)
		count->refusals[cause]++;
	if (cause != SOCKMAP_BEHIND)
		count->brakes++;
	int verdict = pass(skb, flow);
	flow_tell(flow, cause);
	return verdict;
}

static __always_inline int redirect(struct __sk_buff *skb, const struct flow *flow)
{
	struct sockmap_count *count = flow->count;
	enum sockmap_cause cause;
	if (has_rule(SOCKMAP_RULE_STICKY) && READ_ONCE(flow->order->sent) != count->passed)
		return refuse(skb, flow, SOCKMAP_BEHIND);
	if (is_refused(flow, skb->len, &cause))
		return refuse(skb, flow, cause);
	if (bpf_sk_redirect_map(skb, &sockmap_targets, flow->direction, 0) != SK_PASS)
		return refuse(skb, flow, SOCKMAP_TARGET);
	count->redirected_packets++;
	__sync_fetch_and_add(&count->redirected, skb->len);
	return SK_PASS;
}

static __always_inline int spoil(const struct flow *flow)
{
	trouble(flow, SOCKMAP_SPOILT);
	return SK_DROP;
}

SEC("sk_skb/stream_verdict")
int sockmap_verdict(struct __sk_buff *skb)
{
	struct flow flow = {};
	if (!flow_find(bpf_get_socket_cookie(skb), &flow))
		return SK_PASS;
	if (flow.count->trouble & SOCKMAP_SPOILT)
		return SK_DROP;
	/* An end.  Redirected or passed it would break the socket that gets it; the reader
	 * learns of it without. */
	if (skb->len == 0 && has_rule(SOCKMAP_RULE_EMPTY)) {
		flow.count->empties++;
		return SK_DROP;
	}
	if (!trim(skb, flow.count))
		return spoil(&flow);
	if (skb->len == 0 && has_rule(SOCKMAP_RULE_EMPTY))
		return SK_DROP;
	flow.count->last_ns = bpf_ktime_get_coarse_ns();
	return READ_ONCE(flow.order->mode) == SOCKMAP_REDIRECT ? redirect(skb, &flow) : pass(skb, &flow);
}

/* Runs with the socket's lock held, so no verdict of it does.  What was passed must have
 * been read: later nothing would count it as read, and the kernel lose its place. */
SEC("iter/tcp")
int sockmap_leave(struct bpf_iter__tcp *ctx)
{
	struct flow flow = {};
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tcp = common == NULL ? NULL : bpf_skc_to_tcp_sock(common);
	if (tcp == NULL)
		return 0;
	__u64 cookie = (__u64)tcp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter;
	if (!flow_find(cookie, &flow) || flow.order->cookie != cookie || !READ_ONCE(flow.order->is_leaving))
		return 0;
	if (has_rule(SOCKMAP_RULE_READ) &&
		(READ_ONCE(flow.order->taken) != flow.count->passed || socket_queue(tcp) != 0))
		return 0;
	if (bpf_map_delete_elem(&sockmap_sources, &flow.direction) == 0)
		flow.count->has_left = 1;
	return 0;
}

/* Run by BPF_PROG_TEST_RUN with a struct sockmap_query as packet, which it fills. */
SEC("tc")
int sockmap_look(struct __sk_buff *skb)
{
	struct sockmap_query query;
	if (bpf_skb_load_bytes(skb, 0, &query, sizeof(query)) != 0)
		return 1;
	__builtin_memset(&query.ret, 0, sizeof(query.ret));
	target_look(query.direction, &query.ret);
	return bpf_skb_store_bytes(skb, 0, &query, sizeof(query), 0) != 0 ? 2 : 0;
}

char sockmap_license[] SEC("license") = "Dual MIT/GPL";
