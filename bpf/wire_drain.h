/* DRAIN: two senders on one wire.  Towards a far host B go the bytes that the local socket
 * holds for it, and, forwarded, what the far host A sends after them; B must see one sender.
 *
 * Why nobody waits for ever, however full both directions are and whoever's window is closed:
 *
 * 1. Linux looks at nothing of a segment that begins outside [what it has acknowledged, the
 *    end of its window], neither its acknowledgement nor its window.  A counts its numbers from
 *    behind the bytes that are held, which B may not have room for.  So a bare acknowledgement
 *    leaves with the number that a single sender would give it (tcp_acceptable_seq()): A's
 *    own, or the end of B's window if that comes first.  B cannot have received beyond the end
 *    of its window, and so this is never too old either, as B's last acknowledgement would be
 *    while bytes are on their way.  A window that shrinks, or one that we missed, makes B answer
 *    once with both numbers, which mends the next.
 * 2. Hence each far host learns what the other has acknowledged and taken, whether it accepts
 *    data or not.  Segments with payload that begin beyond B's window are lost with all they
 *    say, but A keeps them, is told of B's window and repeats what they said with bare ones.
 * 3. The held bytes come first in the sequence, so any window that B opens is theirs; the local
 *    socket hears of it by copies (wire_copy.h), and the pump that fills the socket does not
 *    depend on the other direction.
 * 4. What tells of a window may be lost.  The socket that holds bytes for B probes it, and its
 *    probes pass: B answers, both to A and, copied, to the socket.  A probes as well: when
 *    nothing is held its number is old to B, which answers; while something is held, B
 *    would take the fitted number for no probe, but the copy keeps the number, so the local
 *    socket answers.  The same goes for keep-alives of either.
 * 5. What has only reached the local socket, that acknowledges; a repetition of it shows that
 *    this was lost, and the new acknowledgement passes, with a number as of (1), as B may have
 *    received more than the socket has sent.
 * 6. A direction that is settled (WIRE_IS_SETTLED) may carry more than 2^31 bytes while the other
 *    is still held: the sockets' numbers for it are compared with nothing any more.
 *
 * So no packet of the sockets is dropped; each is only made to agree with what was forwarded. */
#pragma once

#include "wire_copy.h"

static __always_inline bool is_stale(const struct wire_path *path, const struct packet *packet)
{
	return packet->payload != 0 && !(packet->flags & (FLAG_FIN | FLAG_RST)) &&
		!(path->flags & WIRE_IS_SETTLED) && !IS_AFTER(packet->end, path->boundary);
}

/* How far the local stack's acknowledgement on the way out is ahead. */
static __always_inline __u32 lag_of(const struct flow *flow, const struct packet *packet)
{
	const struct wire_pair *pair = flow->pair;
	__u32 mine = flow->direction & 1;
	__s32 lag = (__s32)(pair->path[mine ^ 1].boundary - (packet->ack + pair->path[mine].ack_delta));
	if (pair->path[mine ^ 1].flags & WIRE_IS_SETTLED || !(packet->flags & FLAG_ACK))
		return 0;
	return lag > 0 ? lag : 0;
}

static __always_inline bool is_bare(const struct packet *packet)
{
	return packet->end == packet->seq && !(packet->flags & FLAG_RST);
}

/* An acknowledgement that is not the newest was overtaken. */
static __always_inline void edge_note(const struct flow *flow, const struct packet *packet)
{
	__u32 mine = flow->direction & 1;
	__u32 window = (__u32)packet->window << (flow->pair->path[mine].scale_in & 15);
	if (!(packet->flags & FLAG_RST) && packet->ack == (__u32)flow->pair->hot[mine].ack_max)
		WRITE_ONCE(flow->pair->edge[mine], packet->ack + window);
}

/* The number that a forwarded segment gets, in space. */
static __always_inline __u32 sequence_fit(const struct flow *flow, const struct packet *packet)
{
	__u32 mine = flow->direction & 1;
	__u32 edge = READ_ONCE(flow->pair->edge[mine ^ 1]) - flow->pair->path[mine].seq_delta;
	return is_bare(packet) && IS_AFTER(packet->seq, edge) ? edge : packet->seq;
}

static __always_inline void note_forwarded(
	struct wire_hot *hot, const struct tcphdr *tcp, __u32 tsval, bool has_tsval)
{
	hot->last_window = tcp->window;
	if (has_tsval && (IS_AFTER(tsval, hot->last_tsval) || !(hot->state & WIRE_FORWARDED)))
		hot->last_tsval = tsval;
	state_add(hot, WIRE_FORWARDED);
}

/* The number for a bare acknowledgement of the socket's, which leaves where `mine` arrives.  A
 * probe has to keep its own: one that has been acknowledged, before the last that is held. */
static __always_inline __u32 sequence_fit_own(
	const struct wire_pair *pair, __u32 mine, const struct packet *packet)
{
	const struct wire_path *path = &pair->path[mine ^ 1];
	__u32 seq = (__u32)pair->hot[mine ^ 1].seq_max + path->seq_delta, edge = READ_ONCE(pair->edge[mine]);
	__u32 last = path->boundary + path->seq_delta;
	bool is_settled = path->flags & WIRE_IS_SETTLED;
	if (is_settled ? packet->seq == last - 1
		       : packet->seq != last && IS_AFTER((__u32)pair->hot[mine].ack_max, packet->seq))
		return packet->seq;
	if (IS_AFTER(seq, edge))
		seq = edge;
	return is_settled || IS_AFTER(seq, packet->seq) ? seq : packet->seq;
}

/* `sent` is the acknowledgement that the far host was told. */
static __always_inline void numbers_fit_own(
	struct tcphdr *tcp, const struct packet *packet, __u32 seq, __u32 sent, __u64 *sum)
{
	__u32 *words = (__u32 *)tcp;
	if (seq != packet->seq) {
		sum_replace(sum, words[1], bpf_htonl(seq));
		words[1] = bpf_htonl(seq);
	}
	if (sent != packet->ack) {
		sum_replace(sum, words[2], bpf_htonl(sent));
		words[2] = bpf_htonl(sent);
	}
}

/* `mine` is the direction that arrives where this leaves, the other one leaves there, too. */
static __always_inline int egress_fit(
	struct __sk_buff *skb, const struct flow *flow, const struct packet *packet)
{
	__u32 mine = flow->direction & 1, other = mine ^ 1;
	const struct wire_hot *hot = &flow->pair->hot[other];
	const struct wire_path *path = &flow->pair->path[mine];
	__u32 sent = (__u32)hot->ack_max + flow->pair->path[other].ack_delta, seq = packet->seq;
	__u64 sum = 0;
	if (!(hot->state & WIRE_FORWARDED))
		return TO_STACK;
	if (!(path->flags & WIRE_IS_SETTLED) && IS_AFTER(path->boundary, sent))
		sent = path->boundary;
	if (!(path->flags & WIRE_IS_SETTLED) && IS_AFTER(packet->ack, sent))
		sent = packet->ack;
	if (is_bare(packet))
		seq = sequence_fit_own(flow->pair, mine, packet);
	struct tcphdr *tcp = header_at(skb, packet->l4, sizeof(*tcp));
	if (tcp == NULL)
		return TO_STACK;
	numbers_fit_own(tcp, packet, seq, sent, &sum);
	sum_replace(&sum, tcp->window, hot->last_window);
	tcp->window = hot->last_window;
	__u32 *words = header_at(skb, packet->l4 + TCP_MIN, 12);
	if (packet->header_len >= TCP_MIN + 12 && words != NULL && words[0] == TIMESTAMPS_WORD) {
		sum_replace(&sum, words[1], bpf_htonl(hot->last_tsval));
		words[1] = bpf_htonl(hot->last_tsval);
	}
	return bpf_l4_csum_replace(skb, packet->l4 + 16, 0, sum_fold(sum), 0) == 0 ? TO_STACK : DROP;
}
