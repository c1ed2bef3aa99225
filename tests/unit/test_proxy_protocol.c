/* Headers of the PROXY protocol: what they say, and everything that is none. */
#include "proto/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE  "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(...) .bytes = "" __VA_ARGS__, .len = sizeof("" __VA_ARGS__) - 1
#define LONGEST_V6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define TEN(x)     x x x x x x x x x x

struct valid_case {
	const char *name;
	const char *bytes;
	size_t len; /* of the header; what follows is not its */
	const char *source, *destination; /* as endpoint_print() has them */
	enum proxy_command command;
};

static const struct valid_case valid_cases[] = {
	{"IPv4 in text", BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), "192.168.0.1:56324",
		"192.168.0.11:443", PROXY_COMMAND_PROXY},
	{"the longest IPv4 line", BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
		"255.255.255.255:65535", "255.255.255.255:65535", PROXY_COMMAND_PROXY},
	{"ports of zero", BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0", "0.0.0.0:0",
		PROXY_COMMAND_PROXY},
	{"IPv6 in text", BYTES("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n"), "[2001:db8::1]:1", "[::1]:2",
		PROXY_COMMAND_PROXY},
	{"the longest IPv6 line", BYTES("PROXY TCP6 " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n"),
		"[" LONGEST_V6 "]:65535", "[" LONGEST_V6 "]:65535", PROXY_COMMAND_PROXY},
	{"IPv4 in IPv6, as HAProxy writes it", BYTES("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n"),
		"[::ffff:1.2.3.4]:1", "[::ffff:5.6.7.8]:2", PROXY_COMMAND_PROXY},
	{"UNKNOWN alone", BYTES("PROXY UNKNOWN\r\n"), "-", "-", PROXY_COMMAND_PROXY},
	{"UNKNOWN with whatever up to 107 bytes",
		BYTES("PROXY UNKNOWN " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n"), "-", "-",
		PROXY_COMMAND_PROXY},
	{"UNKNOWN with what is no address", BYTES("PROXY UNKNOWN \1\377 what ever \r\n"), "-", "-",
		PROXY_COMMAND_PROXY},
	{"IPv4 in binary", BYTES(SIGNATURE "\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\xff\xff"),
		"1.2.3.4:4660", "5.6.7.8:65535", PROXY_COMMAND_PROXY},
	{"IPv6 in binary",
		BYTES(SIGNATURE
			"\x21\x21\0\x24" TEN("\0") "\0\0\0\0\0\x01" TEN("\xff") "\xff\xff\xff\xff\xff\xfe"
										"\0\x50\x01\xbb"),
		"[::1]:80", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:443", PROXY_COMMAND_PROXY},
	{"LOCAL without addresses", BYTES(SIGNATURE "\x20\0\0\0"), "-", "-", PROXY_COMMAND_LOCAL},
	{"LOCAL with addresses, which are skipped",
		BYTES(SIGNATURE "\x20\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\xff\xff"), "-", "-",
		PROXY_COMMAND_LOCAL},
	{"LOCAL with a family that does not exist", BYTES(SIGNATURE "\x20\xff\0\x02xy"), "-", "-",
		PROXY_COMMAND_LOCAL},
	{"LOCAL with less than its family's addresses", BYTES(SIGNATURE "\x20\x21\0\x02xy"), "-", "-",
		PROXY_COMMAND_LOCAL},
	{"addresses unspecified", BYTES(SIGNATURE "\x21\0\0\0"), "-", "-", PROXY_COMMAND_PROXY},
	{"addresses unspecified but there, in a form that nobody knows",
		BYTES(SIGNATURE "\x21\0\0\x05\x01\xff\xff?!"), "-", "-", PROXY_COMMAND_PROXY},
	{"a family with an unspecified transport", BYTES(SIGNATURE "\x21\x10\0\x02xy"), "-", "-",
		PROXY_COMMAND_PROXY},
	{"an unspecified family with a transport", BYTES(SIGNATURE "\x21\x01\0\0"), "-", "-",
		PROXY_COMMAND_PROXY},
	{"datagrams, whose addresses are not a stream's",
		BYTES(SIGNATURE "\x21\x12\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\xff\xff"), "-", "-",
		PROXY_COMMAND_PROXY},
};

static void assert_endpoint(const struct endpoint *endpoint, const char *expected)
{
	char printed[ADDRESS_TEXT_MAX];
	if (strcmp(expected, "-") == 0) {
		assert_int_equal(endpoint->family, AF_UNSPEC);
		return;
	}
	endpoint_print(endpoint, printed, sizeof(printed));
	assert_string_equal(printed, expected);
}

static void headers_say_whose_the_connection_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(valid_cases); i++) {
		const struct valid_case *row = &valid_cases[i];
		struct proxy_header header;
		const char *reason = "?";
		uint8_t bytes[1024];
		print_message("  %s\n", row->name);
		memcpy(bytes, row->bytes, row->len);
		memset(bytes + row->len, '\n', 64); /* the client's own, and none of ours */
		assert_int_equal(proxy_protocol_parse(bytes, row->len + 64, &header, &reason), PROXY_OK);
		assert_int_equal(header.bytes, row->len);
		assert_int_equal(header.version, row->bytes[0] == 'P' ? 1 : 2);
		assert_int_equal(header.command, row->command);
		assert_endpoint(&header.source, row->source);
		assert_endpoint(&header.destination, row->destination);
	}
}

/* A copy of its own, so that a sanitizer sees a read behind the end. */
static enum proxy_result parse_copy(const char *bytes, size_t len, struct proxy_header *header)
{
	const char *reason = NULL;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	enum proxy_result result = proxy_protocol_parse(copy, len, header, &reason);
	free(copy);
	assert_true((result == PROXY_INVALID) == (reason != NULL));
	return result;
}

static void each_beginning_of_a_header_needs_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(valid_cases); i++) {
		const struct valid_case *row = &valid_cases[i];
		struct proxy_header header;
		print_message("  %s\n", row->name);
		for (size_t len = 0; len < row->len; len++)
			assert_int_equal(parse_copy(row->bytes, len, &header), PROXY_NEED_MORE);
		assert_int_equal(parse_copy(row->bytes, row->len, &header), PROXY_OK);
	}
}

struct invalid_case {
	const char *name;
	const char *bytes;
	size_t len;
	size_t told_at; /* bytes after which it is known; 0: all */
};

static const struct invalid_case invalid_cases[] = {
	{"HTTP", BYTES("GET / HTTP/1.1\r\n"), 1},
	{"a TLS hello", BYTES("\x16\x03\x01\x02"), 1},
	{"small letters", BYTES("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), 1},
	{"another word that begins alike", BYTES("PROXIED"), 5},
	{"a tabulator behind PROXY", BYTES("PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n"), 6},
	{"no protocol", BYTES("PROXY \r\n")},
	{"two blanks before the protocol", BYTES("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n")},
	{"a protocol of small letters", BYTES("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n")},
	{"UDP", BYTES("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n")},
	{"a protocol that goes on", BYTES("PROXY TCP44 1.2.3.4 5.6.7.8 1 2\r\n")},
	{"UNKNOWN that goes on", BYTES("PROXY UNKNOWNS\r\n")},
	{"no addresses", BYTES("PROXY TCP4\r\n")},
	{"a blank but no addresses", BYTES("PROXY TCP4 \r\n")},
	{"one address", BYTES("PROXY TCP4 1.2.3.4\r\n")},
	{"no ports", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8\r\n")},
	{"one port", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n")},
	{"one port and a blank", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n")},
	{"a third port", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n")},
	{"a blank at the end", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n")},
	{"two blanks between addresses", BYTES("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n")},
	{"two blanks between ports", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1  2\r\n")},
	{"an IPv6 address for TCP4", BYTES("PROXY TCP4 ::1 5.6.7.8 1 2\r\n")},
	{"an IPv4 address for TCP6", BYTES("PROXY TCP6 ::1 5.6.7.8 1 2\r\n")},
	{"an address that is too large", BYTES("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n")},
	{"an address with a leading zero", BYTES("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n")},
	{"an address of three parts", BYTES("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n")},
	{"a host name", BYTES("PROXY TCP4 localhost 5.6.7.8 1 2\r\n")},
	{"an address of nine groups", BYTES("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n")},
	{"an address with two gaps", BYTES("PROXY TCP6 1::2::3 ::1 1 2\r\n")},
	{"an address with a zone", BYTES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n")},
	{"an address in brackets", BYTES("PROXY TCP6 [::1] ::1 1 2\r\n")},
	{"an address longer than any", BYTES("PROXY TCP6 " LONGEST_V6 "ffffffff ::1 1 2\r\n")},
	{"a zero within the line", BYTES("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n")},
	{"a port that is too large", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n")},
	{"a port of six digits", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 100000\r\n")},
	{"a port with a leading zero", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n")},
	{"a port with a sign", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n")},
	{"a negative port", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n")},
	{"a port in hexadecimal", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 0x2\r\n")},
	{"LF alone", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n")},
	{"CR alone", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx"), 32},
	{"CR twice", BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"), 32},
	{"LF alone after UNKNOWN", BYTES("PROXY UNKNOWN\n")},
	{"CR alone within UNKNOWN", BYTES("PROXY UNKNOWN \r \r\n"), 16},
	{"a line that ends one byte too late",
		BYTES("PROXY UNKNOWN x" LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n"), 107},
	{"a line without an end", BYTES("PROXY UNKNOWN " TEN("1234567890")), 107},
	{"a signature that breaks off", BYTES("\r\n\r\n\0\r\nQUIX\n"), 11},
	{"an empty line alone", BYTES("\r\n\r\nGET / HTTP/1.1"), 5},
	{"version 1 in binary", BYTES(SIGNATURE "\x11\x11\0\x0c"), 13},
	{"version 3", BYTES(SIGNATURE "\x31\x11\0\x0c"), 13},
	{"version 0", BYTES(SIGNATURE "\x01\x11\0\x0c"), 13},
	{"a third command", BYTES(SIGNATURE "\x22\x11\0\x0c"), 13},
	{"a fourth family", BYTES(SIGNATURE "\x21\x41\0\x0c"), 14},
	{"a third transport", BYTES(SIGNATURE "\x21\x13\0\x0c"), 14},
	{"a third transport of no family", BYTES(SIGNATURE "\x21\x03\0\x0c"), 14},
	{"less than two IPv4 addresses", BYTES(SIGNATURE "\x21\x11\0\x0b"), 16},
	{"less than two IPv6 addresses", BYTES(SIGNATURE "\x21\x21\0\x23"), 16},
	{"less than two unix addresses", BYTES(SIGNATURE "\x21\x31\0\xd7"), 16},
	{"less than two addresses of datagrams", BYTES(SIGNATURE "\x21\x12\0\x0b"), 16},
	{"more than 4096 bytes", BYTES(SIGNATURE "\x21\x11\x0f\xf1"), 16},
	{"more than 4096 bytes for nothing", BYTES(SIGNATURE "\x20\0\xff\xff"), 16},
};

static void what_is_no_header_is_told_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(invalid_cases); i++) {
		const struct invalid_case *row = &invalid_cases[i];
		size_t told_at = row->told_at > 0 ? row->told_at : row->len;
		struct proxy_header header = {.version = 77};
		print_message("  %s\n", row->name);
		for (size_t len = 0; len < told_at; len++)
			assert_int_equal(parse_copy(row->bytes, len, &header), PROXY_NEED_MORE);
		for (size_t len = told_at; len <= row->len; len++)
			assert_int_equal(parse_copy(row->bytes, len, &header), PROXY_INVALID);
		assert_int_equal(header.version, 77);
	}
}

static void unix_addresses_keep_their_names(void **state)
{
	uint8_t bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	struct proxy_header header;
	const char *reason;
	(void)state;
	memset(bytes + 16, 0, 216);
	memset(bytes + 16, 'a', 108); /* a name may fill the field */
	memcpy(bytes + 16 + 108, "\0abstract", 9);
	assert_int_equal(proxy_protocol_parse(bytes, sizeof(bytes), &header, &reason), PROXY_OK);
	assert_int_equal(header.source.family, AF_UNIX);
	assert_int_equal(header.destination.family, AF_UNIX);
	assert_int_equal(header.source_path.len, 108);
	assert_memory_equal(header.source_path.bytes, bytes + 16, 108);
	assert_int_equal(header.destination_path.len, 9);
	assert_memory_equal(header.destination_path.bytes, "\0abstract", 9);
}

static void the_longest_binary_header_is_read(void **state)
{
	static uint8_t bytes[PROXY_HEADER_BYTES_MAX] = SIGNATURE "\x20\x11\x0f\xf0";
	struct proxy_header header;
	const char *reason;
	(void)state;
	assert_int_equal(proxy_protocol_parse(bytes, sizeof(bytes) - 1, &header, &reason), PROXY_NEED_MORE);
	assert_int_equal(proxy_protocol_parse(bytes, sizeof(bytes), &header, &reason), PROXY_OK);
	assert_int_equal(header.bytes, PROXY_HEADER_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_say_whose_the_connection_is),
		cmocka_unit_test(each_beginning_of_a_header_needs_more),
		cmocka_unit_test(what_is_no_header_is_told_early),
		cmocka_unit_test(unix_addresses_keep_their_names),
		cmocka_unit_test(the_longest_binary_header_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
