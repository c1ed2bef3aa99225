/* Types that the socket relay programs (bpf/sockmap.bpf.c) and their loader
 * (src/bpf/sockmap.c) share.
 *
 * A pair is one relayed connection of two sockets; direction d of it (0, 1) is what
 * arrives on socket d, its source, and goes to socket 1 - d, its target.  The direction's
 * number in every table is pair << 1 | d.
 *
 * Each word has one writer: `order` is user space's, `count` the programs', which run
 * for a direction under its source's socket lock, so never twice at once. */
#pragma once

#include <linux/types.h>

enum sockmap_mode {
	SOCKMAP_PASS, /* everything to user space; so does every direction begin */
	SOCKMAP_REDIRECT, /* to the target, while that is sound; else to user space */
};

/* Why a direction that should redirect gave bytes to user space. */
enum sockmap_cause {
	SOCKMAP_ROOM, /* the target's send buffer has no room */
	SOCKMAP_QUEUE, /* too many packets wait for the target's kernel worker */
	SOCKMAP_TARGET, /* the target has ended, failed or gone */
	SOCKMAP_WAY_BACK, /* the target is a source that passes, and its queue is one for both */
	SOCKMAP_BEHIND, /* user space has not yet relayed all that it was given before */
	SOCKMAP_CAUSES
};

/* sockmap_count.trouble: the connection can only be reset. */
enum {
	SOCKMAP_SPOILT = 1 << 0, /* bytes were lost in here: no memory to cut a packet */
	SOCKMAP_STUCK = 1 << 1, /* bytes for user space pile up behind those of the way back */
};

/* A rule that a test takes out, to see that another test notices. */
enum sockmap_rule {
	SOCKMAP_RULE_TRIM = 1 << 0, /* what was relayed before is cut off */
	SOCKMAP_RULE_START = 1 << 1, /* the first byte expected is the first unread one */
	SOCKMAP_RULE_EMPTY = 1 << 2, /* packets without bytes are dropped */
	SOCKMAP_RULE_ROOM = 1 << 3, /* only into a send buffer with room */
	SOCKMAP_RULE_STICKY = 1 << 4, /* after a pass, pass until user space has caught up */
	SOCKMAP_RULE_TELL = 1 << 5, /* user space hears of a pass */
	SOCKMAP_RULE_ALIVE = 1 << 6, /* nothing goes to a target that has ended */
	SOCKMAP_RULE_QUEUE = 1 << 7, /* the worker's queue is bounded in packets too */
	SOCKMAP_RULE_WAY_BACK = 1 << 9, /* nothing goes to a target that passes */
	SOCKMAP_RULE_READ = 1 << 8, /* only a direction with nothing unread leaves */
};

struct sockmap_order {
	__u32 mode; /* enum sockmap_mode */
	__u32 generation; /* how often the entry has been used */
	__u64 cookie; /* the source's */
	__u64 taken; /* of the bytes passed: read from the source */
	__u64 sent; /* of these: accepted by the target.  Equal to `passed`: caught up */
	__u64 drained; /* `redirected`, when last all was found in the target */
	__u32 base; /* the target's write sequence number when the pair was entered */
	__u32 heard; /* the last record that was acted upon */
	__u32 is_leaving; /* the next run of sockmap_leave takes the direction out */
	__u32 reserved[3];
};

struct sockmap_count {
	__u64 redirected, redirected_packets;
	__u64 passed, passed_packets;
	__u64 trimmed; /* bytes that arrived more than once and were cut off */
	__u64 last_ns; /* of the last bytes; coarse monotonic clock */
	__u32 refusals[SOCKMAP_CAUSES]; /* packets that should have been redirected and were passed */
	__u32 brakes; /* times that redirecting stopped */
	__u32 trims; /* packets that were cut */
	__u32 empties; /* packets without bytes: ends */
	__u32 gaps; /* packets that began after the byte expected: must stay 0 */
	__u32 behind; /* packets that were passed while others waited in the source's own queue */
	__u32 behind_max; /* the longest queue that was seen then */
	__u32 trouble; /* SOCKMAP_SPOILT, SOCKMAP_STUCK */
	__u32 next_seq; /* the byte expected; set when has_next is */
	__u32 told; /* records written; not before user space has heard the last one */
	__u8 has_next, has_left, reserved[2];
	__u32 reserved_words[5];
};

struct sockmap_direction {
	struct sockmap_order order;
	struct sockmap_count count;
};

/* A ring buffer record: the direction passes bytes, or is in trouble. */
struct sockmap_event {
	__u32 direction;
	__u32 generation;
	__u32 cause; /* enum sockmap_cause */
	__u32 trouble;
};

/* A target, as sockmap_look reads it, at one instant but without its lock: write_seq is
 * never ahead of the truth. */
struct sockmap_look {
	__u32 is_there; /* 0: no such target, and nothing else is set */
	__u32 write_seq;
	__u32 wmem_queued, sndbuf; /* bytes */
	__u32 queue; /* packets that wait for its kernel worker */
	__u32 tcp_state, error, is_shut; /* is_shut: SEND_SHUTDOWN */
};

/* The argument and answer of sockmap_look, as packet data. */
struct sockmap_query {
	__u8 ethernet[14];
	__u16 reserved;
	__u32 direction; /* whose target */
	struct sockmap_look ret;
};

_Static_assert(sizeof(struct sockmap_order) == 64, "a cache line of user space's");
_Static_assert(sizeof(struct sockmap_count) == 128, "two lines of the programs'");
_Static_assert(sizeof(struct sockmap_direction) == 192, "three lines, and so any index is aligned");
_Static_assert(sizeof(struct sockmap_event) == 16, "no padding");
_Static_assert(sizeof(struct sockmap_look) == 32, "no padding");
_Static_assert(sizeof(struct sockmap_query) == 52, "no padding");
