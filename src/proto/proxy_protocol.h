/* The PROXY protocol: the header that a proxy puts before a connection's bytes to say
 * whose they are, version 1 (a line of text) and version 2 (binary, with TLVs).
 *
 * Pure: bytes in, a struct out, and the other way round.  What is not exactly as the
 * specification has it is invalid, and is told as early as the bytes show it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

enum {
	PROXY_V1_BYTES_MAX = 107, /* with CR and LF */
	PROXY_V2_FIXED_BYTES = 16, /* before addresses and TLVs */
	PROXY_HEADER_BYTES_MAX = 4096, /* longer ones are invalid, although the format has room for 64 KiB */
	PROXY_PATH_BYTES = 108, /* of a unix address */
	PROXY_UNIQUE_ID_BYTES_MAX = 128,
	PROXY_AUTHORITY_BYTES_MAX = 255,
	PROXY_ALPN_BYTES_MAX = 255,
};

/* LOCAL: the sender's own connection, a health check for instance. */
enum proxy_command { PROXY_COMMAND_LOCAL, PROXY_COMMAND_PROXY };

/* A stretch of the header's bytes, or of the composer's; NULL: not there. */
struct proxy_span {
	const uint8_t *bytes;
	uint16_t len;
};

/* What the sender's own TLS connection with the client was. */
struct proxy_ssl {
	bool is_present;
	uint8_t client; /* bits: 1 TLS, 2 certificate in this connection, 4 in its session */
	uint32_t verify; /* 0: the client's certificate was verified */
	struct proxy_span version, common_name, cipher, signature_algorithm, key_algorithm;
};

struct proxy_header {
	unsigned version; /* 1 or 2 */
	uint32_t bytes; /* length of the whole header; what follows is the client's */
	enum proxy_command command;
	/* AF_UNSPEC both: the header names none, and the connection's own count.  That is so
	 * for LOCAL, UNKNOWN, unspecified families and datagrams. */
	struct endpoint source, destination;
	struct proxy_span source_path, destination_path; /* of unix addresses, without the zeros behind */
	struct proxy_span alpn, authority, unique_id, netns;
	struct proxy_ssl ssl;
	bool has_checksum; /* CRC32C: when parsed it was right */
};

enum proxy_result { PROXY_OK, PROXY_NEED_MORE, PROXY_INVALID };

/* Looks at the first bytes of a connection, as many as are there.  OK: *ret_header,
 * whose spans point into bytes.  INVALID: *ret_reason, a static sentence.  Of unspecified
 * addresses TLVs are read only where what follows can be TLVs; a LOCAL header with any
 * other family is skipped as a whole. */
enum proxy_result proxy_protocol_parse(
	const uint8_t *bytes, size_t len, struct proxy_header *ret_header, const char **ret_reason) MUST_USE;

/* Writes the header: version, command, addresses and, in version 2, ALPN, authority,
 * unique id, name space and checksum (ssl is not written).  Addresses that version 1
 * cannot say become UNKNOWN; two families that differ are unspecified.
 * Returns its length, -ENOSPC when size is too small or -EINVAL when a span is longer
 * than its kind may be. */
int proxy_protocol_compose(const struct proxy_header *header, uint8_t *storage, size_t size) MUST_USE;
