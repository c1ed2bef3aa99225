/* What the program wire_snapshot (bpf/wire.bpf.c) and its caller (src/bpf/wire.c) share. */
#pragma once

#include "wire.h"

/* A TCP socket of this host, read by the program wire_snapshot. */
struct wire_snapshot {
	__u32 tcp_state; /* 0: no such socket */
	__u32 rcv_nxt, copied_seq, rcv_wup, write_seq, snd_una, snd_nxt;
	__u32 snd_wnd, rcv_wnd, mss_cache;
	__u32 ts_recent, ts_offset;
	__u8 has_timestamps, has_sack, has_scale, has_holes; /* holes: out-of-order segments wait */
	__u8 scale_send, scale_receive, has_usec_clock, reserved;
};

/* Its argument and answer, as packet data.  IPv4: keys in `key4`. */
struct wire_query {
	__u8 ethernet[14];
	__u16 family;
	struct {
		struct wire_key4 key4;
		struct wire_key6 key6;
	} socket[2];
	struct wire_snapshot ret[2];
};

_Static_assert(sizeof(struct wire_query) == 224, "no padding");
