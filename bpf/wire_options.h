/* TCP options: TIMESTAMPS and the edges of SACK and D-SACK blocks are translated,
 * all others stay.  The usual layout (timestamps alone) is changed in place; any other
 * is walked in a copy before anything is written, so that options which end beyond the
 * header leave the packet as it was. */
#pragma once

#include "wire_packet.h"

enum { OPTIONS_MAX = 40, OPTIONS_MASK = 63 };
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_SACK = 5, OPTION_TIMESTAMPS = 8 };

struct options {
	__u8 bytes[OPTIONS_MASK + 1];
	__u32 len, at, sum; /* the sum is that of what is taken away */
	const struct wire_path *path;
	__u32 tsval; /* translated; has_tsval says whether there was one */
	bool is_malformed, has_tsval;
	bool is_drain; /* blocks below what the local stack has acknowledged are removed: */
	bool has_sack_removed; /* they mean nothing to the far end */
};

static __always_inline __u32 bytes_get(const __u8 *bytes, __u32 at)
{
	return (__u32)bytes[at & OPTIONS_MASK] << 24 | (__u32)bytes[(at + 1) & OPTIONS_MASK] << 16 |
		(__u32)bytes[(at + 2) & OPTIONS_MASK] << 8 | bytes[(at + 3) & OPTIONS_MASK];
}

static __always_inline void bytes_set(__u8 *bytes, __u32 at, __u32 value)
{
	bytes[at & OPTIONS_MASK] = value >> 24;
	bytes[(at + 1) & OPTIONS_MASK] = value >> 16;
	bytes[(at + 2) & OPTIONS_MASK] = value >> 8;
	bytes[(at + 3) & OPTIONS_MASK] = value;
}

/* An echo of 0 says that there is none. */
static __always_inline void timestamps_change(struct options *options, __u32 at)
{
	if (!(options->path->flags & WIRE_HAS_TIMESTAMPS))
		return;
	__u32 echo = bytes_get(options->bytes, at + 6);
	options->tsval = bytes_get(options->bytes, at + 2) + options->path->tsval_delta;
	options->has_tsval = true;
	bytes_set(options->bytes, at + 2, options->tsval);
	if (echo != 0)
		bytes_set(options->bytes, at + 6, echo + options->path->tsecr_delta);
}

static __always_inline void sack_change(struct options *options, __u32 at, __u32 len)
{
	for (__u32 edge = 0; edge < 8; edge++) {
		__u32 where = at + 2 + edge * 4;
		if (2 + edge * 4 + 4 > len)
			return;
		if (options->has_sack_removed)
			bytes_set(options->bytes, where, 0x01010101);
		else
			bytes_set(options->bytes, where,
				bytes_get(options->bytes, where) + options->path->ack_delta);
	}
}

/* One option a call; what ends the walk is 1. */
static long options_step(__u32 number, void *ctx)
{
	struct options *options = ctx;
	__u32 at = options->at;
	(void)number;
	if (at >= options->len || at >= OPTIONS_MAX)
		return 1;
	__u8 kind = options->bytes[at & OPTIONS_MASK];
	if (kind == OPTION_END)
		return 1;
	if (kind == OPTION_NOP) {
		options->at = at + 1;
		return 0;
	}
	/* A kind in the last byte has no length: then `bytes` holds the 0 behind it. */
	__u32 len = options->bytes[(at + 1) & OPTIONS_MASK];
	bool is_sack = kind == OPTION_SACK, is_timestamps = kind == OPTION_TIMESTAMPS;
	if (len < 2 || at + len > options->len || (is_timestamps && len != 10) ||
		(is_sack && (len < 10 || (len & 7) != 2))) {
		options->is_malformed = true;
		return 1;
	}
	if (is_timestamps)
		timestamps_change(options, at);
	if (is_sack) {
		sack_change(options, at, len);
		if (options->has_sack_removed) {
			options->bytes[at & OPTIONS_MASK] = OPTION_NOP;
			options->bytes[(at + 1) & OPTIONS_MASK] = OPTION_NOP;
		}
	}
	options->at = at + len;
	return 0;
}

static __always_inline bool has_only_timestamps(struct __sk_buff *skb, const struct packet *packet)
{
	if (packet->header_len != TCP_MIN + 12)
		return false;
	const __u32 *words = header_at(skb, packet->l4 + TCP_MIN, 12);
	return words != NULL && words[0] == TIMESTAMPS_WORD;
}

/* False when they are malformed or cannot be read. */
static __always_inline bool options_read(
	struct __sk_buff *skb, const struct packet *packet, struct options *options)
{
	__u32 len = packet->header_len - TCP_MIN;
	if (len == 0 || len > OPTIONS_MAX)
		return len == 0;
	if (bpf_skb_load_bytes(skb, packet->l4 + TCP_MIN, options->bytes, len) != 0)
		return false;
	options->sum = (__u32)bpf_csum_diff((__be32 *)options->bytes, OPTIONS_MAX, NULL, 0, 0);
	options->len = len;
	bpf_loop(OPTIONS_MAX, options_step, options, 0);
	return !options->is_malformed;
}

/* Puts the walked copy into the packet. */
static __always_inline bool options_write(
	struct __sk_buff *skb, const struct packet *packet, struct options *options, __u64 *sum)
{
	__u32 len = options->len;
	if (len == 0 || len > OPTIONS_MAX)
		return len == 0;
	*sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)options->bytes, OPTIONS_MAX, options->sum);
	return bpf_skb_store_bytes(skb, packet->l4 + TCP_MIN, options->bytes, len, 0) == 0;
}

/* The usual layout, in place.  Returns the TSval as sent. */
static __always_inline void timestamps_write(__u32 *words, const struct wire_path *path, __u64 *sum)
{
	__u32 value = bpf_htonl(bpf_ntohl(words[1]) + path->tsval_delta);
	sum_replace(sum, words[1], value);
	words[1] = value;
	if (words[2] == 0)
		return;
	value = bpf_htonl(bpf_ntohl(words[2]) + path->tsecr_delta);
	sum_replace(sum, words[2], value);
	words[2] = value;
}
