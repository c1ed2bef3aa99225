/* A far host made of crafted TCP segments, behind a TUN interface of this network
 * namespace: for what no well-behaved sender would send.  IPv4, one connection. */
#pragma once

#include <stdint.h>

#include "base/status.h"

enum {
	SOCKMAP_FAR_BYTES_MAX = 1400, /* of a segment */
	SOCKMAP_FAR_FIN = 0x01,
	SOCKMAP_FAR_RST = 0x04,
};

struct sockmap_far {
	int fd; /* the interface; -1: none */
	uint16_t port, local_port; /* the far host's and ours */
	uint32_t first; /* sequence number of its first byte */
	uint32_t next; /* what it expects of us */
	uint32_t acked; /* how many of its bytes we have acknowledged; an end counts as one */
};

/* Makes the interface, with an address of ours (network order) in *ret_address.  Returns 0
 * or -errno. */
int sockmap_far_open(struct sockmap_far *far, uint32_t *ret_address) MUST_USE;
/* The interface vanishes. */
void sockmap_far_close(struct sockmap_far *far);
/* Connects to a listening socket of ours.  Returns 0, or -ETIMEDOUT. */
int sockmap_far_connect(struct sockmap_far *far, uint16_t local_port) MUST_USE;
/* Sends bytes `from` to `to` of the stream, which bytes[from] begins, with flags besides ACK. */
int sockmap_far_send(
	struct sockmap_far *far, const uint8_t *bytes, unsigned from, unsigned to, unsigned flags) MUST_USE;
/* Waits until we have acknowledged `bytes`.  Returns 0, or -ETIMEDOUT. */
int sockmap_far_await(struct sockmap_far *far, unsigned bytes, unsigned timeout_ms) MUST_USE;
