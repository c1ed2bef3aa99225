/* ClientHellos, whole and in pieces, sound and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tls_hello.h"

enum { ROOM = 80 * 1024 };

/* A message that is being written. */
struct writer {
	uint8_t bytes[ROOM];
	size_t len;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	assert_true(writer->len + len <= sizeof(writer->bytes));
	memcpy(writer->bytes + writer->len, bytes, len);
	writer->len += len;
}

static void put_number(struct writer *writer, size_t value, unsigned bytes)
{
	while (bytes-- > 0) {
		uint8_t byte = (uint8_t)(value >> 8 * bytes);
		put(writer, &byte, 1);
	}
}

static void put_extension(struct writer *writer, unsigned type, const void *bytes, size_t len)
{
	put_number(writer, type, 2);
	put_number(writer, len, 2);
	put(writer, bytes, len);
}

static void put_name(struct writer *writer, const char *name, size_t len)
{
	struct writer inside = {.len = 0};
	put_number(&inside, len + 3, 2);
	put_number(&inside, 0, 1);
	put_number(&inside, len, 2);
	put(&inside, name, len);
	put_extension(writer, 0, inside.bytes, inside.len);
}

/* The hello with these extensions, its head included. */
static void put_hello(struct writer *writer, const struct writer *extensions)
{
	static const uint8_t random[32] = {1};
	struct writer body = {.len = 0};
	put_number(&body, 0x0303, 2);
	put(&body, random, sizeof(random));
	put_number(&body, 0, 1);
	put_number(&body, 2, 2);
	put_number(&body, 0x1301, 2);
	put_number(&body, 1, 1);
	put_number(&body, 0, 1);
	if (extensions != NULL) {
		put_number(&body, extensions->len, 2);
		put(&body, extensions->bytes, extensions->len);
	}
	put_number(writer, 1, 1);
	put_number(writer, body.len, 3);
	put(writer, body.bytes, body.len);
}

/* In records of at most so many bytes. */
static void put_records(struct writer *writer, const struct writer *message, size_t record_bytes)
{
	for (size_t at = 0; at < message->len;) {
		size_t len = message->len - at < record_bytes ? message->len - at : record_bytes;
		put_number(writer, 22, 1);
		put_number(writer, 0x0301, 2);
		put_number(writer, len, 2);
		put(writer, message->bytes + at, len);
		at += len;
	}
}

static uint8_t storage[TLS_HELLO_STREAM_BYTES_MAX];

static enum tls_result parse(const struct writer *stream, size_t len, struct tls_hello *ret_hello)
{
	/* A copy of that size, so that a sanitizer sees what is read behind it. */
	uint8_t *copy = malloc(len + 1);
	const char *reason = NULL;
	assert_non_null(copy);
	memcpy(copy, stream->bytes, len);
	static uint8_t *kept;
	free(kept);
	kept = copy;
	const struct tls_input input = {copy, len, storage};
	enum tls_result result = tls_hello_parse(&input, ret_hello, &reason);
	assert_int_equal(result == TLS_INVALID, reason != NULL);
	return result;
}

static void assert_span(struct tls_span span, const char *text)
{
	assert_non_null(span.bytes);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.bytes, text, span.len);
}

/* GREASE first, as browsers send it. */
static void put_usual(struct writer *extensions)
{
	static const uint8_t alpn[] = "\0\x0c\x02h2\x08http/1.1";
	static const uint8_t versions[] = {6, 0x7a, 0x7a, 3, 4, 3, 3};
	put_extension(extensions, 0x6a6a, "", 0);
	put_name(extensions, "www.example.org", 15);
	put_extension(extensions, 16, alpn, sizeof(alpn) - 1);
	put_extension(extensions, 43, versions, sizeof(versions));
	put_extension(extensions, 0x3a3a, "\0", 1);
}

static void a_hello_is_read_whatever_its_pieces(void **state)
{
	static const size_t sizes[] = {16384, 200, 100, 7, 1};
	struct writer extensions = {.len = 0}, message = {.len = 0};
	(void)state;
	put_usual(&extensions);
	put_hello(&message, &extensions);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct writer stream = {.len = 0};
		struct tls_hello hello;
		put_records(&stream, &message, sizes[i]);
		for (size_t len = 0; len < stream.len; len++) {
			assert_int_equal(parse(&stream, len, &hello), TLS_NEED_MORE);
			assert_true(hello.bytes_wanted > len && hello.bytes_wanted <= stream.len);
			assert_null(hello.server_name.bytes);
		}
		put(&stream, "more", 4);
		for (size_t more = 0; more <= 4; more++) {
			assert_int_equal(parse(&stream, stream.len - more, &hello), TLS_OK);
			assert_int_equal(hello.type, 1);
			assert_int_equal(hello.version, 0x0303);
			assert_int_equal(hello.version_max, 0x0304);
			assert_false(hello.has_encrypted_hello);
			assert_span(hello.server_name, "www.example.org");
			assert_span(hello.alpn, "\x02h2\x08http/1.1");
		}
	}
}

static void a_hello_without_extensions_has_no_name(void **state)
{
	struct writer message = {.len = 0}, stream = {.len = 0};
	struct tls_hello hello;
	(void)state;
	put_hello(&message, NULL);
	put_records(&stream, &message, 16384);
	assert_int_equal(parse(&stream, stream.len, &hello), TLS_OK);
	assert_null(hello.server_name.bytes);
	assert_null(hello.alpn.bytes);
	assert_int_equal(hello.version_max, 0x0303);
}

static void the_largest_hello_is_read_and_a_larger_one_is_none(void **state)
{
	static uint8_t padding[TLS_HELLO_BYTES_MAX];
	static const size_t sizes[] = {16384, 1000};
	(void)state;
	for (unsigned larger = 0; larger < 2; larger++) {
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
			struct writer extensions = {.len = 0}, message = {.len = 0}, stream = {.len = 0};
			struct tls_hello hello;
			put_extension(&extensions, 21, padding, 32768);
			put_name(&extensions, "far.example", 11);
			/* 43 bytes stand before the extensions, and 4 before the last of them. */
			put_extension(
				&extensions, 21, padding, 65535 - extensions.len - 4 - (larger ? 0 : 43));
			put_hello(&message, &extensions);
			put_records(&stream, &message, sizes[i]);
			assert_int_equal(parse(&stream, stream.len, &hello), larger ? TLS_INVALID : TLS_OK);
			if (!larger)
				assert_span(hello.server_name, "far.example");
		}
	}
}

static void an_outer_hello_says_so(void **state)
{
	struct writer extensions = {.len = 0}, message = {.len = 0}, stream = {.len = 0};
	struct tls_hello hello;
	(void)state;
	put_extension(&extensions, 0xfe0d, "\0", 1);
	put_name(&extensions, "public.example", 14);
	put_hello(&message, &extensions);
	put_records(&stream, &message, 16384);
	assert_int_equal(parse(&stream, stream.len, &hello), TLS_OK);
	assert_true(hello.has_encrypted_hello);
	assert_span(hello.server_name, "public.example");
}

static void what_is_no_hello_is_told_as_early_as_can_be(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum tls_result result;
		bool is_handshake;
	} rows[] = {
		{"", 0, TLS_NEED_MORE, false},
		{"G", 1, TLS_INVALID, false},
		{"\x16", 1, TLS_NEED_MORE, false},
		{"\x16\x02", 2, TLS_INVALID, false},
		{"\x16\x03\x01\x00", 4, TLS_NEED_MORE, false},
		{"\x16\x03\x01\x00\x00", 5, TLS_INVALID, false},
		{"\x16\x03\x01\xff\xff", 5, TLS_INVALID, false},
		{"\x15\x03\x01\x00\x02", 5, TLS_INVALID, false},
		{"\x16\x03\x01\x00\x04\x02", 6, TLS_INVALID, true},
		{"\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9, TLS_NEED_MORE, true},
		{"\x16\x03\x01\x00\x04\x01\x01\x00\x01", 9, TLS_INVALID, true},
		{"\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, TLS_INVALID, true},
		/* PostgreSQL asks before it says hello. */
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", 8, TLS_INVALID, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct writer stream = {.len = 0};
		struct tls_hello hello;
		put(&stream, rows[i].bytes, rows[i].len);
		assert_int_equal(parse(&stream, stream.len, &hello), rows[i].result);
		assert_int_equal(hello.is_handshake, rows[i].is_handshake);
	}
}

static void hostile_extensions_make_the_whole_hello_worthless(void **state)
{
	static const struct {
		const char *bytes; /* of all extensions */
		size_t len;
	} rows[] = {
		{"\0\0\0\x06\0\x04\0\0\x01", 9}, /* its end is missing */
		{"\0\0\0\x05\0\x03\0\0\0", 9}, /* an empty name */
		{"\0\0\0\x07\0\x05\0\0\x02\0a", 11}, /* NUL in it */
		{"\0\0\0\x07\0\x05\0\0\x03zz", 11}, /* longer than its list */
		{"\0\0\0\x07\0\x04\0\0\x01"
		 "ab",
			11}, /* bytes behind the list */
		{"\0\0\0\x02\0\0", 6}, /* an empty list */
		{"\0\0\0\x0a\0\x08\0\0\x01"
		 "a\0\0\x01"
		 "b",
			14}, /* two names */
		{"\0\0\0\x06\0\x04\0\0\x01"
		 "a\0\0\0\x06\0\x04\0\0\x01"
		 "b",
			20}, /* twice */
		{"\0\x10\0\x04\0\x02\x01h\0\x10\0\x04\0\x02\x01i", 16}, /* protocols twice */
		{"\0\x10\0\x03\0\x01\0", 7}, /* an empty protocol */
		{"\0\x10\0\x04\0\x02\x02h", 8}, /* longer than its list */
		{"\0\x2b\0\x02\x01\x03", 6}, /* half a version */
		{"\0\x2b\0\x01\0", 5}, /* no version */
		{"\0\x20\0", 3}, /* half a length */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct writer extensions = {.len = 0}, message = {.len = 0}, stream = {.len = 0};
		struct tls_hello hello;
		put(&extensions, rows[i].bytes, rows[i].len);
		put_hello(&message, &extensions);
		put_records(&stream, &message, 16384);
		if (parse(&stream, stream.len, &hello) != TLS_INVALID)
			fail_msg("row %zu is accepted", i);
		assert_true(hello.is_handshake && hello.type == 1);
		assert_null(hello.server_name.bytes);
		assert_null(hello.alpn.bytes);
	}
}

static void a_hello_that_changes_its_kind_of_record_is_none(void **state)
{
	struct writer extensions = {.len = 0}, message = {.len = 0}, stream = {.len = 0};
	struct tls_hello hello;
	(void)state;
	put_usual(&extensions);
	put_hello(&message, &extensions);
	put_records(&stream, &message, 50);
	stream.bytes[55] = 23;
	assert_int_equal(parse(&stream, 55, &hello), TLS_NEED_MORE);
	assert_int_equal(parse(&stream, 56, &hello), TLS_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_read_whatever_its_pieces),
		cmocka_unit_test(a_hello_without_extensions_has_no_name),
		cmocka_unit_test(the_largest_hello_is_read_and_a_larger_one_is_none),
		cmocka_unit_test(an_outer_hello_says_so),
		cmocka_unit_test(what_is_no_hello_is_told_as_early_as_can_be),
		cmocka_unit_test(hostile_extensions_make_the_whole_hello_worthless),
		cmocka_unit_test(a_hello_that_changes_its_kind_of_record_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
