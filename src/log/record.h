/* What one finished (or just started) session tells the log; plain data, filled
 * by session, rendered by log/format.c. */
#pragma once

#include <stdint.h>

#include "base/address.h"

enum { LOG_TIME_NONE = -1 }; /* the phase was never reached: printed as -1 */

/* Bytes from outside, any; NULL: none. */
struct log_bytes {
	const uint8_t *bytes;
	uint8_t len;
};

struct log_record {
	uint64_t id;
	uint64_t accepted_wall_us;
	struct endpoint client, frontend_local, backend_local, server;
	const char *frontend, *listener, *backend, *server_name; /* NULL: "<NOSRV>" */
	int64_t wait_ms, connect_ms, total_ms; /* Tw Tc Tt */
	int64_t handshake_ms; /* Th: accept to first step, of which accept-proxy makes one */
	uint64_t bytes_in, bytes_out; /* %U, %B */
	char end_cause, end_phase; /* %ts */
	const char *end_reason; /* our words: %[reason] */
	struct log_bytes authority, unique_id; /* of the PROXY header */
	const char *engine_in, *engine_out; /* last engine per direction */
	uint64_t packets_in, packets_out, retransmits_in, retransmits_out; /* seen by the engine, else 0 */
	unsigned actconn, feconn, beconn, srvconn, retries, srv_queue, backend_queue;
	bool is_redispatched; /* "+" before retries */
	bool is_early; /* option logasap: "+" before Tt and bytes */
};
