/* What the wire programs know about a packet.
 *
 * Headers are read through packet pointers that header_at() has checked; any helper
 * that may move the packet makes those invalid, so they are fetched again after it. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared/wire.h"
#include "wire_sum.h"

/* Also right for clsact: TC_ACT_UNSPEC asks the next program, then the stack. */
#define TO_STACK (-1)
#define DROP     TC_ACT_SHOT

enum { FLAG_FIN = 0x01, FLAG_SYN = 0x02, FLAG_RST = 0x04, FLAG_PSH = 0x08, FLAG_ACK = 0x10, FLAG_URG = 0x20 };
enum { ICMP4_UNREACHABLE = 3, ICMP4_EXCEEDED = 11, ICMP4_PARAMETER = 12, ICMP6_TOO_BIG = 2, ICMP6_LAST = 4 };
enum { ANSWER_HOPS = 64, TCP_CHECK = 16 };
enum {
	TCP_MIN = 20,
	TCP_MAX = 60,
	L4_V4 = ETH_HLEN + 20,
	L4_V6 = ETH_HLEN + 40,
	L4_JUMBO = L4_V6 + 8,
	VLAN_ID_MASK = 0x0fff
};

#define READ_ONCE(field)         (*(const volatile __typeof__(field) *)&(field))
#define WRITE_ONCE(field, value) (*(volatile __typeof__(field) *)&(field) = (value))
#define TIMESTAMPS_WORD          bpf_htonl(0x0101080a) /* NOP NOP TIMESTAMPS 10 */
/* True when sequence number a is after b. */
#define IS_AFTER(a, b) ((__s32)((a) - (b)) > 0)

/* RFC 2675 */
enum { JUMBO_TYPE = 0xc2 };
struct jumbo_header {
	__u8 next, len, type, type_len;
	__u32 payload;
};

struct packet {
	__u32 l4; /* where the TCP header begins */
	__u32 header_len; /* of TCP, with options */
	__u32 payload;
	__u32 seq, ack, end; /* end: after payload and FIN */
	__u16 window;
	__u8 flags;
	bool is_v6;
};

/* The context holds packet pointers in 32-bit fields; loaded by the compiler's own code
 * they may be widened by shifts, which the verifier refuses on pointers. */
#define PACKET_POINTER(skb, field)                                              \
	({                                                                      \
		void *pointer;                                                  \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                           \
			     : "=r"(pointer)                                    \
			     : "r"(skb), "i"(offsetof(struct __sk_buff, field)) \
			     : "memory");                                       \
		pointer;                                                        \
	})

static __always_inline void *header_at(const struct __sk_buff *skb, __u32 at, const __u32 len)
{
	void *start = PACKET_POINTER(skb, data) + at;
	return start + len > PACKET_POINTER(skb, data_end) ? NULL : start;
}

/* Makes the first `len` bytes readable by pointers.  A packet's headers mostly are. */
static __always_inline bool is_linear(struct __sk_buff *skb, __u32 len)
{
	if (PACKET_POINTER(skb, data) + len <= PACKET_POINTER(skb, data_end))
		return true;
	return len <= skb->len && bpf_skb_pull_data(skb, len) == 0;
}
