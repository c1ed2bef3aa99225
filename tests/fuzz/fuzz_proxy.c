/* Any bytes are a PROXY header, the beginning of one, or none with a reason; what is
 * told early stays true, and what was understood can be written and means the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = PROXY_HEADER_BYTES_MAX + 64 };

/* Of a copy of exactly that size, so that a sanitizer sees what is read behind it. */
static enum proxy_result parse(const uint8_t *bytes, size_t len, struct proxy_header *ret_header)
{
	const char *reason = NULL;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	memcpy(copy, bytes, len);
	enum proxy_result result = proxy_protocol_parse(copy, len, ret_header, &reason);
	CHECK((result == PROXY_INVALID) == (reason != NULL && reason[0] != '\0'));
	free(copy);
	return result;
}

static bool is_same(struct proxy_span a, struct proxy_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static void check_span(struct proxy_span span, const uint8_t *bytes, const struct proxy_header *header)
{
	if (span.bytes == NULL)
		CHECK(span.len == 0);
	else
		CHECK(span.bytes >= bytes && span.bytes + span.len <= bytes + header->bytes);
}

static void check_spans(const uint8_t *bytes, const struct proxy_header *header)
{
	const struct proxy_span spans[] = {header->source_path, header->destination_path, header->alpn,
		header->authority, header->unique_id, header->netns, header->ssl.version,
		header->ssl.common_name, header->ssl.cipher, header->ssl.signature_algorithm,
		header->ssl.key_algorithm};
	for (size_t i = 0; i < ARRAY_LENGTH(spans); i++)
		check_span(spans[i], bytes, header);
}

static void check_round_trip(const struct proxy_header *header)
{
	static uint8_t written[PROXY_HEADER_BYTES_MAX];
	struct proxy_header again;
	const char *reason;
	int len = proxy_protocol_compose(header, written, sizeof(written));
	/* Only a checksum that was not there before could make it longer than it may be. */
	CHECK(len > 0);
	CHECK(proxy_protocol_parse(written, (size_t)len, &again, &reason) == PROXY_OK);
	CHECK(memcmp(&again.source, &header->source, sizeof(again.source)) == 0);
	CHECK(memcmp(&again.destination, &header->destination, sizeof(again.destination)) == 0);
	CHECK(again.has_checksum == header->has_checksum);
	CHECK(is_same(again.source_path, header->source_path));
	CHECK(is_same(again.destination_path, header->destination_path));
	CHECK(is_same(again.alpn, header->alpn) && is_same(again.authority, header->authority));
	CHECK(is_same(again.unique_id, header->unique_id) && is_same(again.netns, header->netns));
}

/* As the bytes would come one by one. */
static void check_beginnings(const uint8_t *bytes, size_t len, enum proxy_result result, size_t header_bytes)
{
	enum proxy_result before = PROXY_NEED_MORE;
	struct proxy_header header;
	for (size_t part = 0; part <= len; part++) {
		enum proxy_result now = parse(bytes, part, &header);
		CHECK(before == PROXY_NEED_MORE || now == before);
		CHECK(now != PROXY_OK || header.bytes == header_bytes);
		before = now;
	}
	CHECK(before == result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct proxy_header header = {0};
	const char *reason;
	if (len > INPUT_MAX)
		return 0;
	enum proxy_result result = parse(bytes, len, &header);
	check_beginnings(bytes, len < 600 ? len : 0, len < 600 ? result : PROXY_NEED_MORE, header.bytes);
	CHECK(result != PROXY_NEED_MORE || len < PROXY_HEADER_BYTES_MAX);
	if (proxy_protocol_parse(bytes, len, &header, &reason) != PROXY_OK)
		return 0;
	CHECK(header.bytes <= len && header.bytes <= PROXY_HEADER_BYTES_MAX);
	CHECK(header.version == 2 || header.bytes <= PROXY_V1_BYTES_MAX);
	CHECK(header.source.family == header.destination.family);
	check_spans(bytes, &header);
	check_round_trip(&header);
	return 0;
}
