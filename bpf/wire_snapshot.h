/* Reads both TCP sockets of a pair at once, for the hand-over; run by BPF_PROG_TEST_RUN
 * with a struct wire_query as packet, which it fills.  The fields are found by BTF, so
 * only those that are read are declared. */
#pragma once

#include <bpf/bpf_core_read.h>

#include "shared/wire_snapshot.h"
#include "wire_packet.h"

#define BY_BTF __attribute__((preserve_access_index))

struct sock_common {
	volatile unsigned char skc_state;
} BY_BTF;
struct sock {
	struct sock_common __sk_common;
} BY_BTF;
struct inet_sock {
	struct sock sk;
} BY_BTF;
struct inet_connection_sock {
	struct inet_sock icsk_inet;
} BY_BTF;
struct rb_node;
struct rb_root {
	struct rb_node *rb_node;
} BY_BTF;
struct tcp_options_received {
	__u32 ts_recent;
	__u16 tstamp_ok : 1, wscale_ok : 1, sack_ok : 3, snd_wscale : 4, rcv_wscale : 4;
} BY_BTF;
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt, copied_seq, rcv_wup, write_seq, snd_una, snd_nxt, snd_wnd, rcv_wnd, mss_cache,
		tsoffset;
	struct tcp_options_received rx_opt;
	struct rb_root out_of_order_queue;
	__u8 tcp_usec_ts : 1;
} BY_BTF;

static __always_inline void snapshot_fill(struct tcp_sock *tcp, struct wire_snapshot *snapshot)
{
	snapshot->tcp_state = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
	snapshot->rcv_nxt = tcp->rcv_nxt;
	snapshot->copied_seq = tcp->copied_seq;
	snapshot->rcv_wup = tcp->rcv_wup;
	snapshot->write_seq = tcp->write_seq;
	snapshot->snd_una = tcp->snd_una;
	snapshot->snd_nxt = tcp->snd_nxt;
	snapshot->snd_wnd = tcp->snd_wnd;
	snapshot->rcv_wnd = tcp->rcv_wnd;
	snapshot->mss_cache = tcp->mss_cache;
	snapshot->ts_recent = tcp->rx_opt.ts_recent;
	snapshot->ts_offset = tcp->tsoffset;
	snapshot->has_holes = tcp->out_of_order_queue.rb_node != NULL;
	snapshot->has_timestamps = BPF_CORE_READ_BITFIELD(tcp, rx_opt.tstamp_ok);
	snapshot->has_sack = BPF_CORE_READ_BITFIELD(tcp, rx_opt.sack_ok) & 1;
	snapshot->has_scale = BPF_CORE_READ_BITFIELD(tcp, rx_opt.wscale_ok);
	snapshot->scale_send = BPF_CORE_READ_BITFIELD(tcp, rx_opt.snd_wscale);
	snapshot->scale_receive = BPF_CORE_READ_BITFIELD(tcp, rx_opt.rcv_wscale);
	if (bpf_core_field_exists(tcp->tcp_usec_ts)) /* since 6.7 */
		snapshot->has_usec_clock = BPF_CORE_READ_BITFIELD(tcp, tcp_usec_ts);
}

/* `side` is 0 or 1. */
static __always_inline void snapshot_take(struct __sk_buff *skb, struct wire_query *query, const int side)
{
	struct bpf_sock_tuple tuple = {};
	struct wire_snapshot *snapshot = &query->ret[side];
	bool is_v6 = query->family == 10; /* AF_INET6 */
	if (is_v6) {
		__builtin_memcpy(&tuple.ipv6, &query->socket[side].key6, sizeof(tuple.ipv6));
	} else {
		__builtin_memcpy(&tuple.ipv4, &query->socket[side].key4, sizeof(tuple.ipv4));
	}
	struct bpf_sock *sk = bpf_skc_lookup_tcp(
		skb, &tuple, is_v6 ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (sk == NULL)
		return;
	/* When the connection's socket is gone, its listener is found. */
	struct tcp_sock *tcp = sk->state == BPF_TCP_LISTEN ? NULL : bpf_skc_to_tcp_sock(sk);
	if (tcp != NULL)
		snapshot_fill(tcp, snapshot);
	bpf_sk_release(sk);
}
