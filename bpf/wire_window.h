/* Whether a packet's numbers are ones that its receiver can accept, and what they teach.
 *
 * The ends of a spliced connection are real TCPs: each checks every forwarded segment
 * against its exact windows, and challenges resets as RFC 5961 says, so blind injection is
 * no easier than without us.  Our own view must be guarded: only numbers that the receiver
 * can accept change what we know (wire_note.h), and a reset counts only with the number that
 * the receiver expects next, that the sender sends next, or where the window ends.  Farther
 * out than a window and some slack no Linux would look at it: it is not forwarded. */
#pragma once

#include "wire_flow.h"

enum verdict {
	NUMBERS_OUTSIDE, /* no end would take it */
	NUMBERS_DOUBTFUL, /* for the receiver to judge; teaches us nothing */
	NUMBERS_GOOD,
};

enum { WINDOW_SLACK = 65536, WINDOW_LIMIT = 1 << 30 }; /* slack: probes, windows that shrink */

static __always_inline __s32 window_of(const struct wire_hot *hot)
{
	return hot->window_max < WINDOW_LIMIT ? (__s32)hot->window_max : WINDOW_LIMIT;
}

/* `lead` is how far the segment begins beyond what its receiver has acknowledged. */
static __always_inline enum verdict judge_sequence(const struct flow *flow, const struct packet *packet)
{
	const struct wire_pair *pair = flow->pair;
	__u32 mine = flow->direction & 1, other = mine ^ 1;
	__u32 acknowledged = (__u32)pair->hot[other].ack_max + pair->path[other].ack_delta;
	__s32 window = window_of(&pair->hot[other]);
	__s32 lead = (__s32)(packet->seq - acknowledged);
	__s32 lead_end = (__s32)(packet->end - acknowledged);
	/* The end alone may wrap round to where it looks old. */
	__s32 limit = window + WINDOW_SLACK;
	if (lead < -limit || lead > limit || lead_end > limit)
		return NUMBERS_OUTSIDE;
	if (packet->flags & FLAG_RST) {
		/* Who has sent more than the window that is left breaks off at its end
		 * (tcp_acceptable_seq()), and who holds bytes up to there believes it. */
		__u32 left = (__u32)bpf_ntohs(pair->hot[other].last_window)
			<< (pair->path[other].scale_in & 15);
		bool is_exact =
			lead == 0 || (__u32)lead == left || packet->seq == (__u32)pair->hot[mine].seq_max;
		return is_exact ? NUMBERS_GOOD : NUMBERS_DOUBTFUL;
	}
	return lead < -window || lead_end > window ? NUMBERS_DOUBTFUL : NUMBERS_GOOD;
}

/* An acknowledgement of what has never passed teaches nothing; near misses are left to
 * the receiver, for bytes may have slipped past us while the pair was handed over. */
static __always_inline enum verdict judge_ack(const struct flow *flow, const struct packet *packet)
{
	const struct wire_pair *pair = flow->pair;
	__u32 mine = flow->direction & 1, other = mine ^ 1;
	__u32 sent = (__u32)pair->hot[other].seq_max + pair->path[other].seq_delta;
	__s32 ahead = (__s32)(packet->ack - sent);
	__s32 gain = (__s32)(packet->ack - (__u32)pair->hot[mine].ack_max);
	__s32 limit = window_of(&pair->hot[mine]) + WINDOW_SLACK;
	if (ahead > limit || gain < -limit)
		return NUMBERS_OUTSIDE;
	return ahead > 0 ? NUMBERS_DOUBTFUL : NUMBERS_GOOD;
}

/* The next segment in order needs no look at the other direction's cache line. */
static __always_inline enum verdict flow_judge(const struct flow *flow, const struct packet *packet)
{
	const struct wire_hot *mine = &flow->pair->hot[flow->direction & 1];
	if ((packet->flags & (FLAG_FIN | FLAG_RST | FLAG_ACK)) == FLAG_ACK &&
		packet->seq == (__u32)mine->seq_max && packet->ack == (__u32)mine->ack_max)
		return NUMBERS_GOOD;
	enum verdict verdict = judge_sequence(flow, packet);
	if (verdict == NUMBERS_OUTSIDE || packet->flags & FLAG_RST)
		return verdict;
	if (!(packet->flags & FLAG_ACK))
		return NUMBERS_OUTSIDE;
	enum verdict ack = judge_ack(flow, packet);
	return ack < verdict ? ack : verdict;
}
