/* Whether a packet's numbers are ones that its receiver can accept, and what they teach.
 *
 * The ends of a spliced connection are real TCPs: each checks every forwarded segment
 * against its exact windows, and challenges resets as RFC 5961 says, so blind injection is
 * no easier than without us.  Our own view must be guarded: only numbers that the receiver
 * can accept change what we know, and a reset counts only between what the receiver has
 * acknowledged and what the sender has sent, on a quiet connection one number.  Farther out
 * than a window and some slack no Linux would look at it: it is not forwarded. */
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
		bool is_exact = lead >= 0 && !IS_AFTER(packet->seq, (__u32)pair->hot[mine].seq_max);
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

/* User space also finds the bits in wire_hot.state: a full ring loses nothing. */
static __always_inline void flow_tell(const struct flow *flow, __u16 what)
{
	struct wire_event *event = bpf_ringbuf_reserve(&wire_events, sizeof(*event), 0);
	if (event == NULL)
		return;
	event->pair = flow->index;
	event->generation = flow->pair->generation;
	event->direction = flow->direction & 1;
	event->what = what;
	bpf_ringbuf_submit(event, 0);
}

/* A lost race of two processors is mended by the next packet, for the low half is the truth. */
static __always_inline bool number_raise(__u64 *number, __u32 to)
{
	__s32 gain = (__s32)(to - (__u32)*number);
	if (gain > 0)
		*number += gain;
	return gain > 0;
}

static __always_inline void note_end(const struct flow *flow, const struct packet *packet, bool has_gain)
{
	__u32 mine = flow->direction & 1, other = mine ^ 1, came = 0;
	struct wire_hot *hot = &flow->pair->hot[mine];
	const struct wire_hot *far = &flow->pair->hot[other];
	if (packet->flags & FLAG_RST)
		came |= WIRE_RST;
	if (packet->flags & FLAG_FIN)
		came |= WIRE_FIN;
	if (has_gain && far->state & WIRE_FIN &&
		!IS_AFTER(far->fin_end + flow->pair->path[other].seq_delta, packet->ack))
		came |= WIRE_FINACK;
	came &= ~hot->state;
	if (came == 0)
		return;
	if (came & WIRE_FIN)
		hot->fin_end = packet->end;
	WRITE_ONCE(hot->state, hot->state | came);
	flow_tell(flow, came);
}

/* What a good packet teaches. */
static __always_inline void note_numbers(const struct flow *flow, const struct packet *packet)
{
	struct wire_hot *hot = &flow->pair->hot[flow->direction & 1];
	__u32 window = (__u32)packet->window << (flow->pair->path[flow->direction & 1].scale_in & 15);
	bool has_gain = false;
	if (packet->flags & FLAG_RST) {
		note_end(flow, packet, false);
		return;
	}
	/* One byte is a keep-alive or a probe of a closed window. */
	if (!number_raise(&hot->seq_max, packet->end) && packet->payload > 1)
		hot->retransmits++;
	if (window > hot->window_max)
		hot->window_max = window;
	has_gain = number_raise(&hot->ack_max, packet->ack);
	if (has_gain || packet->flags & FLAG_FIN)
		note_end(flow, packet, has_gain);
}

/* WATCH knows no mapping yet: numbers near the last ones count.  That any packet came shows
 * that the addresses on the wire are the socket's. */
static __always_inline void note_watched(const struct flow *flow, const struct packet *packet)
{
	struct wire_hot *hot = &flow->pair->hot[flow->direction & 1];
	__s32 window = window_of(&flow->pair->hot[(flow->direction & 1) ^ 1]) + WINDOW_SLACK;
	__s32 lead = (__s32)(packet->end - (__u32)hot->seq_max);
	hot->last_ns = bpf_ktime_get_coarse_ns();
	if (lead > -window && lead < window)
		number_raise(&hot->seq_max, packet->end);
}
