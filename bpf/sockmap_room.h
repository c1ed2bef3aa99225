/* Whether a target can take a packet now.  The kernel itself would queue without bound,
 * charged to nobody; so only what its send buffer has room for may wait for it. */
#pragma once

#include "sockmap_flow.h"

enum {
	ROOM_SPARE = 8 << 10, /* bytes that stay free */
	QUEUE_MAX = 1024, /* packets that may wait for the worker, however small */
};

/* False: there is none. */
static __always_inline bool target_look(__u32 direction, struct sockmap_look *ret_look)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockmap_targets, &direction);
	if (sk == NULL)
		return false;
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp != NULL)
		socket_look(tcp, ret_look);
	bpf_sk_release(sk);
	return tcp != NULL;
}

/* A quarter more than the bytes themselves, for the memory around them. */
static __always_inline bool has_room(const struct flow *flow, const struct sockmap_look *look, __u32 len)
{
	__s32 pending = (__s32)((__u32)(flow->count->redirected + READ_ONCE(flow->order->sent)) -
		(look->write_seq - flow->order->base));
	__s64 wanted = (__s64)(pending > 0 ? pending : 0) + len;
	return (__s64)look->sndbuf - look->wmem_queued - wanted - (wanted >> 2) >= ROOM_SPARE;
}

static __always_inline bool is_alive(const struct sockmap_look *look)
{
	if (look->error != 0 || look->is_shut)
		return false;
	return look->tcp_state == STATE_ESTABLISHED || look->tcp_state == STATE_CLOSE_WAIT;
}

/* What is passed on the way back would wait behind what is redirected there, charged to
 * nobody. */
static __always_inline bool is_way_back_passing(const struct flow *flow)
{
	__u32 direction = flow->direction ^ 1;
	const struct sockmap_direction *back = bpf_map_lookup_elem(&sockmap_directions, &direction);
	if (back == NULL || READ_ONCE(back->count.has_left))
		return false;
	return READ_ONCE(back->order.mode) != SOCKMAP_REDIRECT ||
		READ_ONCE(back->count.passed) != READ_ONCE(back->order.sent);
}

static __always_inline bool is_refused(const struct flow *flow, __u32 len, enum sockmap_cause *ret_cause)
{
	struct sockmap_look look = {};
	*ret_cause = SOCKMAP_WAY_BACK;
	if (is_way_back_passing(flow) && has_rule(SOCKMAP_RULE_WAY_BACK))
		return true;
	*ret_cause = SOCKMAP_TARGET;
	if (!target_look(flow->direction, &look))
		return true;
	if (!is_alive(&look) && has_rule(SOCKMAP_RULE_ALIVE))
		return true;
	*ret_cause = SOCKMAP_QUEUE;
	if (look.queue >= QUEUE_MAX && has_rule(SOCKMAP_RULE_QUEUE))
		return true;
	*ret_cause = SOCKMAP_ROOM;
	return !has_room(flow, &look, len) && has_rule(SOCKMAP_RULE_ROOM);
}
