/* The TLVs of a PROXY header. */
#include "proto/proto_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD_BYTES = 28 };

/* What HAProxy 2.6 sends with crc32c and an empty unique id. */
static const char haproxy_bytes[] =
	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16\x7f\0\0\x01\x7f\0\0\x01\x94\xc6;(\x03\0\x04/\"\x06\x85\x05\0\0";

/* An IPv4 header with these TLVs behind; parses a copy of its own size, which the spans
 * point into until the next call. */
static enum proxy_result parse_with(
	const char *tlvs, size_t len, struct proxy_header *ret_header, const char **ret_reason)
{
	static uint8_t *bytes;
	free(bytes);
	bytes = malloc(HEAD_BYTES + len);
	assert_non_null(bytes);
	memcpy(bytes, haproxy_bytes, HEAD_BYTES);
	bytes[14] = (uint8_t)((len + 12) >> 8);
	bytes[15] = (uint8_t)(len + 12);
	memcpy(bytes + HEAD_BYTES, tlvs, len);
	*ret_reason = NULL;
	return proxy_protocol_parse(bytes, HEAD_BYTES + len, ret_header, ret_reason);
}

#define PARSE(text, header, reason) parse_with(text, sizeof(text) - 1, header, reason)

static void assert_span(struct proxy_span span, const char *expected)
{
	assert_non_null(span.bytes);
	assert_int_equal(span.len, strlen(expected));
	assert_memory_equal(span.bytes, expected, span.len);
}

static void known_types_are_told(void **state)
{
	struct proxy_header header;
	const char *reason;
	(void)state;
	assert_int_equal(PARSE("\x01\0\x02h2\x02\0\x0b"
			       "example.com\x05\0\x03id7\x30\0\x04"
			       "blue",
				 &header, &reason),
		PROXY_OK);
	assert_span(header.alpn, "h2");
	assert_span(header.authority, "example.com");
	assert_span(header.unique_id, "id7");
	assert_span(header.netns, "blue");
	assert_false(header.has_checksum);
	assert_false(header.ssl.is_present);
}

static void empty_values_are_there(void **state)
{
	struct proxy_header header;
	const char *reason;
	(void)state;
	assert_int_equal(PARSE("\x05\0\0", &header, &reason), PROXY_OK);
	assert_span(header.unique_id, "");
	assert_null(header.alpn.bytes);
}

static void padding_and_unknown_types_are_skipped(void **state)
{
	struct proxy_header header;
	const char *reason;
	(void)state;
	assert_int_equal(
		PARSE("\x04\0\x02xx\x04\0\0\xe0\0\x01x\xe0\0\x01y\xff\0\0\x01\0\x01z", &header, &reason),
		PROXY_OK);
	assert_span(header.alpn, "z");
}

static void tls_is_told_with_what_is_in_it(void **state)
{
	struct proxy_header header;
	const char *reason;
	(void)state;
	assert_int_equal(PARSE("\x20\0\x34\x07\0\0\x01\x02"
			       "\x21\0\x07TLSv1.3"
			       "\x22\0\x04name"
			       "\x23\0\x0b"
			       "CIPHER-NAME"
			       "\x24\0\x06"
			       "SHA256"
			       "\x7f\0\x01?"
			       "\x25\0\0",
				 &header, &reason),
		PROXY_OK);
	assert_true(header.ssl.is_present);
	assert_int_equal(header.ssl.client, 7);
	assert_int_equal(header.ssl.verify, 0x102);
	assert_span(header.ssl.version, "TLSv1.3");
	assert_span(header.ssl.common_name, "name");
	assert_span(header.ssl.cipher, "CIPHER-NAME");
	assert_span(header.ssl.signature_algorithm, "SHA256");
	assert_span(header.ssl.key_algorithm, "");
}

static void haproxys_checksum_is_right(void **state)
{
	struct proxy_header header;
	const char *reason = NULL;
	(void)state;
	size_t len = sizeof(haproxy_bytes) - 1;
	assert_int_equal(
		proxy_protocol_parse((const uint8_t *)haproxy_bytes, len, &header, &reason), PROXY_OK);
	assert_true(header.has_checksum);
	assert_span(header.unique_id, "");
	assert_int_equal(header.source.port, 0x94c6);
}

static void every_changed_bit_is_noticed(void **state)
{
	enum { LEN = sizeof(haproxy_bytes) - 1 };
	(void)state;
	for (unsigned bit = 16 * 8; bit < LEN * 8; bit++) {
		uint8_t bytes[LEN];
		struct proxy_header header;
		const char *reason = NULL;
		memcpy(bytes, haproxy_bytes, LEN);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* A changed type is no checksum any more. */
		if (bit / 8 == HEAD_BYTES)
			continue;
		assert_int_equal(proxy_protocol_parse(bytes, LEN, &header, &reason), PROXY_INVALID);
		assert_non_null(reason);
	}
}

static void checksums_count_without_addresses_too(void **state)
{
	/* HAProxy 2.6, for a client of a unix socket. */
	uint8_t bytes[] = "\r\n\r\n\0\r\nQUIT\n \0\0\x0a\x03\0\x04\x82"
			  "ct\xb8\x05\0\0";
	struct proxy_header header;
	const char *reason = NULL;
	(void)state;
	assert_int_equal(proxy_protocol_parse(bytes, sizeof(bytes) - 1, &header, &reason), PROXY_OK);
	assert_true(header.has_checksum);
	bytes[19] ^= 1;
	assert_int_equal(proxy_protocol_parse(bytes, sizeof(bytes) - 1, &header, &reason), PROXY_INVALID);
}

static void what_is_wrong_with_tlvs_is_said(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		const char *reason;
	} cases[] = {
		{"a type alone", "\x01", 1, "a TLV is longer than the header that it is in"},
		{"half a length", "\x01\0", 2, "a TLV is longer than the header that it is in"},
		{"a value that is cut", "\x01\0\x03h2", 5, "a TLV is longer than the header that it is in"},
		{"an unknown value that is cut", "\xe0\xff\xffx", 4,
			"a TLV is longer than the header that it is in"},
		{"a byte behind the last", "\x01\0\x02h2\x04", 6,
			"a TLV is longer than the header that it is in"},
		{"ALPN twice", "\x01\0\0\x01\0\0", 6, "the same TLV comes twice"},
		{"a checksum twice", "\x03\0\x04....\x03\0\x04....", 14, "the same TLV comes twice"},
		{"a wrong checksum", "\x03\0\x04....", 7, "the checksum is wrong"},
		{"a short checksum", "\x03\0\x03...", 6, "the checksum is not four bytes long"},
		{"an empty checksum", "\x03\0\0", 3, "the checksum is not four bytes long"},
		{"TLS without its fixed part", "\x20\0\x04....", 7, "the TLV about TLS is too short"},
		{"TLS whose own TLV is cut", "\x20\0\x08.....\x21\0\x01", 11,
			"a TLV is longer than the header that it is in"},
		{"TLS with two versions", "\x20\0\x0b.....\x21\0\0\x21\0\0", 14, "the same TLV comes twice"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct proxy_header header;
		const char *reason;
		print_message("  %s\n", cases[i].name);
		assert_int_equal(parse_with(cases[i].bytes, cases[i].len, &header, &reason), PROXY_INVALID);
		assert_string_equal(reason, cases[i].reason);
	}
}

static void values_have_limits(void **state)
{
	static const struct {
		uint8_t type;
		unsigned bytes_max;
	} limits[] = {{1, 255}, {2, 255}, {5, 128}};
	char tlv[3 + 256] = {0};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
		struct proxy_header header;
		const char *reason;
		for (unsigned more = 0; more < 2; more++) {
			unsigned len = limits[i].bytes_max + more;
			tlv[0] = (char)limits[i].type;
			tlv[1] = (char)(len >> 8);
			tlv[2] = (char)len;
			assert_int_equal(
				parse_with(tlv, 3 + len, &header, &reason), more ? PROXY_INVALID : PROXY_OK);
		}
		assert_string_equal(reason, "a TLV is longer than its type may be");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_types_are_told),
		cmocka_unit_test(empty_values_are_there),
		cmocka_unit_test(padding_and_unknown_types_are_skipped),
		cmocka_unit_test(tls_is_told_with_what_is_in_it),
		cmocka_unit_test(haproxys_checksum_is_right),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(checksums_count_without_addresses_too),
		cmocka_unit_test(what_is_wrong_with_tlvs_is_said),
		cmocka_unit_test(values_have_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
