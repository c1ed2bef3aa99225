/* The far ends of a line: connected sockets, and threads that send and check a pattern
 * which no two places of a stream share. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct peer {
	int fd; /* non-blocking */
	uint64_t seed_out, seed_in;
	uint64_t sends; /* bytes; then it ends its side */
	uint64_t chunk_max; /* of a write; 0: 64 KiB */
	unsigned pause_permille; /* of its reads and writes: how many are followed by a pause */
	bool is_deaf; /* never reads */
	bool waits_for_end; /* sends only when the other has ended */
	uint64_t sent, received;
	uint64_t bad_at; /* offset of the first wrong byte, UINT64_MAX: none */
	bool has_ended; /* the other's end came */
	int error; /* errno of what went wrong */
	bool is_stopped; /* set it to stop the thread */
	pthread_t thread;
};

/* Makes this network namespace one of the test's own, with loopback.  NULL, or why not. */
const char *peer_namespace_make(void);
/* A connection over loopback; both sockets non-blocking.  Aborts when that fails. */
void peer_connect(int *ret_active, int *ret_passive);
/* Buffers of both kernel ends of later connections; 0: the kernel's choice. */
void peer_set_buffers(int sndbuf, int rcvbuf);
/* Later connections are of IPv6. */
void peer_set_v6(bool is_v6);
void peer_start(struct peer *peer);
/* Whether it has sent and received all, by now. */
bool peer_is_done(const struct peer *peer);
/* Stops it; NULL, or what is wrong with what it received of `expected` bytes and an end. */
const char *peer_stop(struct peer *peer, uint64_t expected);
uint64_t memory_available_kb(void);
