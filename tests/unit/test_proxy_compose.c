/* Headers that we write: byte for byte where it matters, else by reading them back. */
#include "proto/proxy_protocol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct endpoint endpoint_of(const char *host, uint16_t port)
{
	struct endpoint endpoint = {.family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET, .port = port};
	assert_int_equal(inet_pton(endpoint.family, host, endpoint.ip), 1);
	return endpoint;
}

static struct proxy_header header_of(unsigned version, const char *source, const char *destination)
{
	return (struct proxy_header){
		.version = version,
		.command = PROXY_COMMAND_PROXY,
		.source = endpoint_of(source, 11),
		.destination = endpoint_of(destination, 65535),
	};
}

static struct proxy_span span_of(const char *text)
{
	return (struct proxy_span){(const uint8_t *)text, (uint16_t)strlen(text)};
}

static void assert_line(const struct proxy_header *header, const char *expected)
{
	uint8_t bytes[PROXY_V1_BYTES_MAX];
	int len = proxy_protocol_compose(header, bytes, sizeof(bytes));
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(bytes, expected, strlen(expected));
}

static void lines_are_as_the_specification_has_them(void **state)
{
	(void)state;
	struct proxy_header header = header_of(1, "1.2.3.4", "5.6.7.8");
	assert_line(&header, "PROXY TCP4 1.2.3.4 5.6.7.8 11 65535\r\n");
	header = header_of(1, "2001:db8::1", "::1");
	assert_line(&header, "PROXY TCP6 2001:db8::1 ::1 11 65535\r\n");
	header = header_of(1, "::ffff:1.2.3.4", "::ffff:5.6.7.8");
	assert_line(&header, "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 11 65535\r\n");
	header = header_of(1, "1.2.3.4", "::1");
	assert_line(&header, "PROXY UNKNOWN\r\n");
	header = header_of(1, "1.2.3.4", "5.6.7.8");
	header.command = PROXY_COMMAND_LOCAL;
	assert_line(&header, "PROXY UNKNOWN\r\n");
	header = (struct proxy_header){.version = 1,
		.command = PROXY_COMMAND_PROXY,
		.source = {.family = AF_UNIX},
		.destination = {.family = AF_UNIX}};
	assert_line(&header, "PROXY UNKNOWN\r\n");
}

static void the_longest_line_fits(void **state)
{
	const char *longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	struct proxy_header header = header_of(1, longest, longest), again;
	uint8_t bytes[PROXY_V1_BYTES_MAX];
	const char *reason;
	(void)state;
	header.source.port = 65535;
	int len = proxy_protocol_compose(&header, bytes, sizeof(bytes));
	assert_int_equal(len, 104);
	assert_int_equal(proxy_protocol_parse(bytes, (size_t)len, &again, &reason), PROXY_OK);
}

static void assert_binary(const struct proxy_header *header, const char *expected, size_t expected_len)
{
	uint8_t bytes[PROXY_HEADER_BYTES_MAX];
	int len = proxy_protocol_compose(header, bytes, sizeof(bytes));
	assert_int_equal(len, expected_len);
	assert_memory_equal(bytes, expected, expected_len);
}

static void binary_headers_are_as_haproxys(void **state)
{
	static const char haproxy_bytes[] =
		"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16\x7f\0\0\x01\x7f\0\0\x01\x94\xc6;(\x03\0\x04/\"\x06\x85\x05\0\0";
	static const char haproxy_local[] = "\r\n\r\n\0\r\nQUIT\n \0\0\x0a\x03\0\x04\x82"
					    "ct\xb8\x05\0\0";
	struct proxy_header header = header_of(2, "127.0.0.1", "127.0.0.1");
	(void)state;
	header.source.port = 0x94c6;
	header.destination.port = 0x3b28;
	header.has_checksum = true;
	header.unique_id = span_of("");
	assert_binary(&header, haproxy_bytes, sizeof(haproxy_bytes) - 1);
	header.command = PROXY_COMMAND_LOCAL;
	assert_binary(&header, haproxy_local, sizeof(haproxy_local) - 1);
}

static void assert_same_span(struct proxy_span a, struct proxy_span b)
{
	assert_int_equal(a.bytes == NULL, b.bytes == NULL);
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.bytes, b.bytes, a.len);
}

static void assert_read_back(const struct proxy_header *header)
{
	uint8_t bytes[PROXY_HEADER_BYTES_MAX];
	struct proxy_header again;
	const char *reason = NULL;
	int len = proxy_protocol_compose(header, bytes, sizeof(bytes));
	assert_true(len > 0);
	assert_int_equal(proxy_protocol_parse(bytes, (size_t)len, &again, &reason), PROXY_OK);
	assert_int_equal(again.bytes, len);
	assert_int_equal(again.version, header->version);
	assert_int_equal(again.command, header->command);
	assert_memory_equal(&again.source, &header->source, sizeof(again.source));
	assert_memory_equal(&again.destination, &header->destination, sizeof(again.destination));
	assert_same_span(again.source_path, header->source_path);
	assert_same_span(again.destination_path, header->destination_path);
	assert_same_span(again.alpn, header->alpn);
	assert_same_span(again.authority, header->authority);
	assert_same_span(again.unique_id, header->unique_id);
	assert_same_span(again.netns, header->netns);
	assert_int_equal(again.has_checksum, header->has_checksum);
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		struct proxy_header header = header_of(version, "1.2.3.4", "5.6.7.8");
		assert_read_back(&header);
		header = header_of(version, "2001:db8::1", "::ffff:5.6.7.8");
		assert_read_back(&header);
	}
	struct proxy_header header = header_of(2, "2001:db8::1", "::1");
	header.alpn = span_of("h2");
	header.authority = span_of("example.com");
	header.unique_id = span_of("77");
	header.netns = span_of("blue");
	header.has_checksum = true;
	assert_read_back(&header);
	header.source = header.destination = (struct endpoint){.family = AF_UNIX, .is_local = 1};
	header.source_path = span_of("a/long/path");
	header.destination_path = (struct proxy_span){(const uint8_t *)"\0name", 5};
	assert_read_back(&header);
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		struct proxy_header header = header_of(version, "2001:db8::1", "::1");
		uint8_t bytes[PROXY_HEADER_BYTES_MAX], exact[PROXY_HEADER_BYTES_MAX];
		if (version == 2) {
			header.unique_id = span_of("77");
			header.has_checksum = true;
		}
		int len = proxy_protocol_compose(&header, bytes, sizeof(bytes));
		assert_true(len > 0);
		for (int size = 0; size < len; size++)
			assert_int_equal(proxy_protocol_compose(&header, exact, (size_t)size), -ENOSPC);
		assert_int_equal(proxy_protocol_compose(&header, exact, (size_t)len), len);
	}
}

static void spans_have_limits(void **state)
{
	static const uint8_t bytes[256];
	struct proxy_header header = header_of(2, "1.2.3.4", "5.6.7.8");
	struct {
		struct proxy_span *span;
		uint16_t bytes_max;
	} limits[] = {{&header.alpn, 255}, {&header.authority, 255}, {&header.unique_id, 128},
		{&header.source_path, 108}, {&header.destination_path, 108}};
	uint8_t storage[PROXY_HEADER_BYTES_MAX];
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
		*limits[i].span = (struct proxy_span){bytes, limits[i].bytes_max};
		assert_true(proxy_protocol_compose(&header, storage, sizeof(storage)) > 0);
		limits[i].span->len++;
		assert_int_equal(proxy_protocol_compose(&header, storage, sizeof(storage)), -EINVAL);
		*limits[i].span = (struct proxy_span){0};
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_as_the_specification_has_them),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(binary_headers_are_as_haproxys),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(spans_have_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
