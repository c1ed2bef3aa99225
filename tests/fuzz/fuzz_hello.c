/* Any bytes are a ClientHello, the beginning of one, or none with a reason; what is told
 * early stays true, and what it points to lies in the bytes or in the storage. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = TLS_HELLO_STREAM_BYTES_MAX, BEGINNINGS_MAX = 600 };

static uint8_t storage[TLS_HELLO_STREAM_BYTES_MAX];

static bool is_inside(struct tls_span span, const uint8_t *bytes, size_t len)
{
	return span.bytes >= bytes && span.bytes + span.len <= bytes + len;
}

static void check_span(struct tls_span span, const struct tls_input *input)
{
	if (span.bytes == NULL)
		CHECK(span.len == 0);
	else
		CHECK(span.len > 0 &&
			(is_inside(span, input->bytes, input->len) ||
				is_inside(span, storage, sizeof(storage))));
}

static void check_hello(const struct tls_hello *hello, const struct tls_input *input)
{
	size_t at = 0;
	check_span(hello->server_name, input);
	check_span(hello->alpn, input);
	CHECK(hello->server_name.len <= TLS_NAME_BYTES_MAX);
	CHECK(hello->server_name.len == 0 || !memchr(hello->server_name.bytes, '\0', hello->server_name.len));
	while (at < hello->alpn.len) {
		CHECK(hello->alpn.bytes[at] > 0);
		at += 1u + hello->alpn.bytes[at];
	}
	CHECK(at == hello->alpn.len);
}

/* Of a copy of exactly that size, so that a sanitizer sees what is read behind it. */
static enum tls_result parse(const uint8_t *bytes, size_t len, struct tls_hello *ret_hello)
{
	const char *reason = NULL;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	memcpy(copy, bytes, len);
	const struct tls_input input = {copy, len, storage};
	enum tls_result result = tls_hello_parse(&input, ret_hello, &reason);
	CHECK((result == TLS_INVALID) == (reason != NULL && reason[0] != '\0'));
	CHECK(result != TLS_NEED_MORE || ret_hello->bytes_wanted > len);
	if (result == TLS_OK)
		CHECK(ret_hello->is_handshake && ret_hello->type == 1);
	else
		CHECK(ret_hello->server_name.bytes == NULL && ret_hello->alpn.bytes == NULL);
	if (result == TLS_OK)
		check_hello(ret_hello, &input);
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	enum tls_result before = TLS_NEED_MORE;
	struct tls_hello hello;
	if (len > INPUT_MAX)
		return 0;
	enum tls_result result = parse(bytes, len, &hello);
	if (len > BEGINNINGS_MAX)
		return 0;
	for (size_t part = 0; part <= len; part++) {
		enum tls_result now = parse(bytes, part, &hello);
		CHECK(before == TLS_NEED_MORE || now == before);
		before = now;
	}
	CHECK(before == result);
	return 0;
}
