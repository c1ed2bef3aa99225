/* What a TLS client says first: the ClientHello, read without taking part in the
 * handshake.  Pure: the bytes of the connection's beginning in, what they say out.
 *
 * What was told of the beginning of a stream stays true when more of it is there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
	TLS_HELLO_BYTES_MAX =
		65536, /* of the message without its head of four bytes; longer ones are refused */
	/* What a hello of that size takes on the wire in records that are not needlessly small. */
	TLS_HELLO_STREAM_BYTES_MAX = TLS_HELLO_BYTES_MAX + 2048,
	TLS_NAME_BYTES_MAX = 255,
};

enum tls_result { TLS_OK, TLS_NEED_MORE, TLS_INVALID };

/* bytes == NULL: absent. */
struct tls_span {
	const uint8_t *bytes;
	size_t len;
};

struct tls_hello {
	bool is_handshake; /* the bytes are a TLS handshake, of which `type` is the first message */
	uint8_t type; /* 1: ClientHello */
	uint16_t version; /* as the hello's own field has it: 0x0303 for TLS 1.2 and 1.3 */
	uint16_t version_max; /* the highest offered, GREASE left out */
	bool has_encrypted_hello; /* ECH: the name is the outer one */
	struct tls_span server_name; /* host name, 1 to TLS_NAME_BYTES_MAX bytes without NUL */
	struct tls_span alpn; /* the names, each behind a byte with its length, none empty */
	size_t bytes_wanted; /* with NEED_MORE: at least so many must be there for another answer */
};

/* storage takes the message when it is spread over several records (NULL: such are
 * NEED_MORE for ever); the spans then point into it, else into the bytes.  INVALID comes
 * with a static reason, and with is_handshake and type where those are known. */
struct tls_input {
	const uint8_t *bytes;
	size_t len;
	uint8_t *storage; /* TLS_HELLO_STREAM_BYTES_MAX */
};
enum tls_result tls_hello_parse(
	const struct tls_input *input, struct tls_hello *ret_hello, const char **ret_reason) MUST_USE;
