/* The naive SOCKMAP echo: every segment that arrives at a socket of the map is
 * sent out through the same socket, without looking at it and without asking
 * whether there is room.  It has no guard against overlapping retransmits, full
 * send buffers or a FIN; that is the point of measuring it. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* the socket's cookie */
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/stream_verdict")
int echo_verdict(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);

	return (int)bpf_sk_redirect_hash(skb, &sockets, &cookie, 0);
}

char program_license[] SEC("license") = "Dual MIT/GPL";
