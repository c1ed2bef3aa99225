/* What client and server tell each other beside the pattern: the client's hello
 * before its first byte, and the server's verdict after its last.  Both are of
 * WIRE_BYTES, little-endian. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_BYTES = 48 };

enum wire_role {
	WIRE_SINK, /* the server only takes */
	WIRE_SOURCE, /* it only sends, until the client ends */
	WIRE_BOTH, /* it does both at once */
	WIRE_ECHO, /* it sends as many bytes as came, from the same pattern */
	WIRE_REPLY, /* it sends answer_bytes for each message_bytes that came */
};

struct wire_hello {
	enum wire_role role;
	bool is_sampled;
	bool is_closing; /* the client will close, not half-close: it wants no verdict */
	uint32_t message_bytes, answer_bytes; /* 0 where they mean nothing */
	uint64_t seed;
};

/* Sent once the client ended its direction, as far as the path carries a half-close. */
struct wire_verdict {
	uint64_t received, sent, verified;
	uint64_t bad_offset; /* of the first wrong byte, UINT64_MAX for none */
};

void wire_put_hello(const struct wire_hello *hello, uint8_t ret_bytes[WIRE_BYTES]);
/* false when the bytes are no hello. */
bool wire_get_hello(const uint8_t bytes[WIRE_BYTES], struct wire_hello *ret_hello);
void wire_put_verdict(const struct wire_verdict *verdict, uint8_t ret_bytes[WIRE_BYTES]);
/* false when the bytes are no verdict. */
bool wire_get_verdict(const uint8_t bytes[WIRE_BYTES], struct wire_verdict *ret_verdict);
