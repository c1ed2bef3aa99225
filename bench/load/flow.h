/* Bytes in one direction of one socket: made and sent, or received and checked.
 * A sampled flow moves most of its bytes without touching them: out by sendfile(2)
 * from memory, in by MSG_TRUNC, and checks one piece of each `sample_every` bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pattern.h"
#include "wire.h"

enum {
	FLOW_CHUNK_BYTES = 128 * 1024, /* most that one step moves through memory of ours */
	FLOW_SAMPLE_BYTES = 64 * 1024, /* checked of each sample_every */
};

/* What the flows of one thread share. */
struct flow_scratch {
	uint8_t *in, *out;
	int file; /* the periodic pattern, for sendfile(2) */
	/* What `out` holds, so that a refused rest is not made again. */
	struct pattern made;
	uint64_t made_offset;
	size_t made_len;
	uint64_t sample_every;
};

struct flow_out {
	struct pattern pattern;
	uint64_t offset, limit; /* sent, and to be sent by now */
	bool is_sampled;
	uint8_t head_len, head_sent;
	uint8_t head[WIRE_BYTES]; /* goes before what is still to be sent */
};

struct flow_in {
	struct pattern pattern;
	uint64_t offset, verified;
	uint64_t bad_offset; /* of the first wrong byte; UINT64_MAX: none.  Nothing is checked after it. */
	bool is_sampled;
	bool is_copied; /* the socket cannot skip: what is not looked at is read all the same */
	bool is_draining; /* the last WIRE_BYTES are held back in tail and not counted in offset */
	uint8_t tail_len;
	uint8_t tail[WIRE_BYTES];
};

/* Allocates; 0 or a negative errno.  file is the caller's. */
int flow_scratch_init(struct flow_scratch *scratch, int file, uint64_t sample_every);
void flow_scratch_release(struct flow_scratch *scratch);
/* A memory file with one period of pattern_periodic(), or a negative errno. */
int flow_file_create(void);

struct flow_in flow_in_start(struct pattern pattern, bool is_sampled);
static inline bool flow_out_is_pending(const struct flow_out *flow)
{
	return flow->head_sent < flow->head_len || flow->offset < flow->limit;
}
/* Sends one chunk of what is pending.  Returns the bytes of the pattern that went (0 when only the
 * head moved), or a negative errno (-EAGAIN: the socket takes no more).  *ret_is_full
 * when the socket took less than offered. */
ssize_t flow_out_step(struct flow_out *flow, int fd, struct flow_scratch *scratch, bool *ret_is_full);
/* Receives one chunk.  Returns what came, 0 at the end of the stream or a negative
 * errno.  *ret_is_empty when less came than there was room for. */
ssize_t flow_in_step(struct flow_in *flow, int fd, struct flow_scratch *scratch, bool *ret_is_empty);
/* Checks bytes that were received otherwise. */
void flow_in_take(struct flow_in *flow, const uint8_t *bytes, size_t len);
