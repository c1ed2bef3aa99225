/* What the socket relay programs read of the kernel's sockets.  The fields are found by
 * BTF, so only those that are read are declared. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "shared/sockmap.h"

#define BY_BTF __attribute__((preserve_access_index))
#ifndef NULL
#define NULL ((void *)0)
#endif

typedef struct {
	__s64 counter;
} BY_BTF atomic64_t;
struct sock_common {
	volatile unsigned char skc_state;
	atomic64_t skc_cookie;
} BY_BTF;
struct sock {
	struct sock_common __sk_common;
	int sk_wmem_queued, sk_sndbuf, sk_rcvbuf, sk_err;
	__u8 sk_shutdown;
	void *sk_user_data;
} BY_BTF;
struct inet_sock {
	struct sock sk;
} BY_BTF;
struct inet_connection_sock {
	struct inet_sock icsk_inet;
} BY_BTF;
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq, write_seq;
} BY_BTF;
struct sk_buff_head {
	__u32 qlen;
} BY_BTF;
struct sk_psock {
	struct sk_buff_head ingress_skb;
} BY_BTF;
struct bpf_iter__tcp {
	struct sock_common *sk_common;
} BY_BTF;

enum {
	STATE_ESTABLISHED = 1,
	STATE_CLOSE_WAIT = 8, /* the far end has ended; it still reads */
	SHUT_SEND = 2,
	USER_DATA_FLAGS = 7, /* the low bits of sk_user_data */
	USER_DATA_PSOCK = 4,
};

/* Packets in the socket's own queue, which the kernel worker serves: those redirected
 * to it, and those passed to it while others waited. */
static __always_inline __u32 socket_queue(struct tcp_sock *tcp)
{
	unsigned long data = (unsigned long)tcp->inet_conn.icsk_inet.sk.sk_user_data;
	struct sk_psock *psock = (void *)(data & ~(unsigned long)USER_DATA_FLAGS);
	if (psock == NULL || !(data & USER_DATA_PSOCK))
		return 0;
	return BPF_CORE_READ(psock, ingress_skb.qlen);
}

/* write_seq first: bytes on their way from there to sk_wmem_queued then count twice, never
 * not at all. */
static __always_inline void socket_look(struct tcp_sock *tcp, struct sockmap_look *ret_look)
{
	struct sock *sk = &tcp->inet_conn.icsk_inet.sk;
	ret_look->is_there = 1;
	ret_look->write_seq = *(volatile __u32 *)&tcp->write_seq;
	barrier();
	ret_look->wmem_queued = (__u32)sk->sk_wmem_queued;
	ret_look->sndbuf = (__u32)sk->sk_sndbuf;
	ret_look->queue = socket_queue(tcp);
	ret_look->tcp_state = sk->__sk_common.skc_state;
	ret_look->error = (__u32)sk->sk_err;
	ret_look->is_shut = (sk->sk_shutdown & SHUT_SEND) != 0;
}
