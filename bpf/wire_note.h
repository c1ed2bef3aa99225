/* What packets teach about a pair, and telling user space of ends. */
#pragma once

#include "wire_window.h"

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

enum { RAISE_TRIES = 8 }; /* each lost to another processor that has raised the number */

/* Packets of one direction may come on several processors at once, and one of these may stop
 * between a look and a store for as long as its host likes: a number must never go back. */
static __always_inline bool number_raise(__u64 *number, __u32 to)
{
	__u64 before = READ_ONCE(*number);
	for (int i = 0; i < RAISE_TRIES; i++) {
		__s32 gain = (__s32)(to - (__u32)before);
		if (gain <= 0)
			return false;
		__u64 seen = __sync_val_compare_and_swap(number, before, before + (__u32)gain);
		if (seen == before)
			return true;
		before = seen;
	}
	return false;
}

static __always_inline void window_raise(struct wire_hot *hot, __u32 to)
{
	__u32 before = READ_ONCE(hot->window_max);
	for (int i = 0; i < RAISE_TRIES && before < to; i++) {
		__u32 seen = __sync_val_compare_and_swap(&hot->window_max, before, to);
		if (seen == before)
			return;
		before = seen;
	}
}

static __always_inline void note_end(const struct flow *flow, const struct packet *packet, bool has_gain)
{
	__u32 mine = flow->direction & 1, other = mine ^ 1, came = 0;
	struct wire_hot *hot = &flow->pair->hot[mine];
	const struct wire_hot *far = &flow->pair->hot[other];
	if (packet->flags & FLAG_RST)
		came |= WIRE_RST;
	/* Nothing comes after an end: an older one is forged, or the receiver has it. */
	if (packet->flags & FLAG_FIN && packet->end == (__u32)hot->seq_max) {
		hot->fin_end = packet->end;
		came |= WIRE_FIN;
	}
	if (has_gain && far->state & WIRE_FIN &&
		!IS_AFTER(far->fin_end + flow->pair->path[other].seq_delta, packet->ack))
		came |= WIRE_FINACK;
	came &= ~hot->state;
	if (came == 0)
		return;
	state_add(hot, came);
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
		__sync_fetch_and_add(&hot->retransmits, 1);
	window_raise(hot, window);
	hot->last_window = bpf_htons(packet->window);
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

/* One tick is 67 ms, less than Linux waits before it sends again. */
enum { TICK_SHIFT = 26, TICKS = 255 };

/* Whether the sender of a direction may be told something: once a tick. */
static __always_inline bool is_answer_due(struct wire_path *path)
{
	__u8 tick = (__u8)(1 + (bpf_ktime_get_coarse_ns() >> TICK_SHIFT) % TICKS);
	bool is_due = path->told_tick != tick;
	path->told_tick = tick;
	return is_due;
}
