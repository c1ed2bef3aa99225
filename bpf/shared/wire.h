/* Types that the packet splicing programs (bpf/wire.bpf.c) and their loader
 * (src/bpf/wire.c) share.
 *
 * A pair is one relayed connection: two directions, each named by where its packets
 * arrive from (0 the client, 1 the server).  The "in" space is the sequence numbers
 * as they arrive, the "out" space as they leave; out = in + delta.
 *
 * Bytes of a pair by writer: the head and the paths by user space, hot[d] by the
 * packets of direction d, a cache line each, so that two processors that carry a
 * direction each do not write each other's line; the cold counters are rare.
 *
 * What the kernel holds for a pair, of either family: these 384 bytes, and 32 of the index
 * (wire_index.h).  Both tables are whole from the start. */
#pragma once

#include <linux/types.h>

enum wire_mode {
	WIRE_OFF, /* the programs do nothing */
	WIRE_WATCH, /* everything to the stack, noted */
	WIRE_DRAIN, /* translated and forwarded; the local sockets get the acknowledgements */
	WIRE_ACTIVE, /* translated and forwarded; the local sockets are frozen */
	WIRE_CLOSED, /* dropped both ways, but for the sockets' resets, which get the numbers due */
};

enum wire_redirect {
	WIRE_REDIRECT_NEIGH, /* to next_hop through the neighbour table */
	WIRE_REDIRECT_FIB, /* next hop by a route look-up for every packet */
	WIRE_REDIRECT_PEER, /* into the other end of a veth pair */
	WIRE_REDIRECT_MAC, /* with these hardware addresses */
};

/* wire_hot.state */
enum {
	WIRE_FIN = 1 << 0, /* this direction has ended; fin_end is set */
	WIRE_FINACK = 1 << 1, /* it has acknowledged the other direction's end */
	WIRE_RST = 1 << 2, /* a reset that the receiver can believe */
	WIRE_SYN = 1 << 3, /* a SYN came (an event, at most one in 67 ms, never in state) */
	WIRE_FORWARDED = 1 << 4, /* DRAIN has forwarded: last_window and last_tsval are what was sent out */
	WIRE_SHORT_LIVED = 1 << 5, /* WATCH: a packet came whose hop limit lets nobody forward it */
};

/* wire_path.flags; settled: in DRAIN, the sockets hold nothing of this direction any more, and the
 * receiver has all they had.  From then on its numbers may run on beyond any comparison with
 * the sockets'. */
enum { WIRE_HAS_TIMESTAMPS = 1 << 0, WIRE_IS_SETTLED = 1 << 1 };

/* Keys are as a packet arrives: source is the far host.  Network order. */
struct wire_key4 {
	__u32 saddr, daddr;
	__u16 sport, dport;
};

struct wire_key6 {
	__u32 saddr[4], daddr[4];
	__u16 sport, dport;
};

/* Pair index << 1 | direction. */
typedef __u32 wire_flow_id;

/* How the packets of a direction leave.  IPv4 addresses are in word 0. */
struct wire_path {
	__u32 saddr[4], daddr[4]; /* new, network order */
	__u16 sport, dport;
	__u32 seq_delta, ack_delta, tsval_delta, tsecr_delta;
	__u32 address_csum; /* folded to 32 bits: new addresses less old ones, as bpf_csum_diff gives */
	__u32 boundary; /* in space: what the local socket has received; DRAIN leaves older bytes to it */
	__u32 ifindex;
	union {
		__u32 next_hop[4];
		struct {
			__u8 to[6], from[6];
		} mac;
	};
	__u8 redirect; /* enum wire_redirect */
	__u8 next_hop_family;
	__u8 scale_in, scale_out; /* window scales; must be equal: windows pass as they are */
	__u16 mtu; /* of the way out, for IP packets; 0: any size */
	__u8 flags;
	__u8 told_tick; /* when the sender was last told of something */
};

struct wire_hot { /* what the packets of a direction have shown */
	__u64 packets; /* forwarded; a merged one is one */
	__u64 last_ns; /* coarse monotonic clock; from WATCH on */
	/* Highest end of segment and highest acknowledgement, in space, counted on beyond 32
	 * bits: their growth is the exact number of bytes sent and acknowledged. */
	__u64 seq_max, ack_max;
	__u32 fin_end; /* sequence number after the FIN, in space */
	__u32 window_max; /* largest window that this side announced, in bytes */
	__u32 state;
	__u32 retransmits; /* segments without anything new */
	__u32 last_tsval; /* out space */
	__u16 last_window; /* of a good packet; DRAIN: as sent out.  Network order */
	__u16 copies; /* DRAIN: headers given to the local stack */
	__u64 spare; /* fills the line */
};

/* Packets that were not forwarded, by reason; S: to the stack, D: dropped. */
struct wire_cold {
	__u32 syn; /* S; ACTIVE: answered or D */
	__u32 outside; /* D (DRAIN: S): sequence or acknowledgement number out of any window */
	__u32 malformed; /* S: options that end beyond the header */
	__u32 expired; /* S: hop limit used up */
	__u32 too_big; /* D (DRAIN: S): larger than the way out takes */
	__u32 stale; /* S: DRAIN, only bytes that the local socket has */
	__u32 frozen; /* D: ACTIVE, the local socket's own packets on this direction's wire */
	/* Errors about this direction's packets that were sent back: translated, or our own to
	 * tell of packets that are too big. */
	__u16 icmp, told;
};

struct wire_pair { /* in this order: each hot[] begins a cache line */
	__u16 mode; /* enum wire_mode; one aligned store changes both directions */
	__u16 family; /* AF_INET or AF_INET6 */
	__u32 generation; /* user space: how often the entry has been used */
	/* In space, by direction: where the window of this side ends, as last announced.  From
	 * wire_flow_map() on and in DRAIN only: ACTIVE has no use for it. */
	__u32 edge[2];
	struct wire_path path[2];
	struct wire_cold cold[2];
	struct wire_hot hot[2];
};

/* A ring buffer record: `what` is the state bit that has come. */
struct wire_event {
	__u32 pair;
	__u32 generation;
	__u16 direction;
	__u16 what;
};

_Static_assert(sizeof(struct wire_key4) == 12, "hashed as words");
_Static_assert(sizeof(struct wire_key6) == 36, "hashed as words");
_Static_assert(sizeof(struct wire_path) == 88, "no padding");
_Static_assert(sizeof(struct wire_hot) == 64, "a cache line a direction");
_Static_assert(sizeof(struct wire_cold) == 32, "both in one line");
_Static_assert(sizeof(struct wire_pair) == 384, "six lines, and so any index is aligned");
_Static_assert(__builtin_offsetof(struct wire_pair, hot) == 256, "on a line");
_Static_assert(sizeof(struct wire_event) == 12, "no padding");
