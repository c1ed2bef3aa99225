/* Reading a header of either version. */
#include "proto/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "proto/proto_internal.h"

enum {
	PORT_MAX = 65535,
	PORT_DIGITS_MAX = 5,
	V4_BLOCK_BYTES = 2 * 4 + 2 * 2,
	V6_BLOCK_BYTES = 2 * 16 + 2 * 2,
	UNIX_BLOCK_BYTES = 2 * PROXY_PATH_BYTES,
};

const uint8_t proxy_v2_signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static const char v1_begin[] = {'P', 'R', 'O', 'X', 'Y', ' '};

static enum proxy_result invalid(const char *reason, const char **ret_reason)
{
	*ret_reason = reason;
	return PROXY_INVALID;
}

/* Whether the bytes that are there are how the beginning goes. */
static bool begins(const uint8_t *bytes, size_t len, const void *beginning, size_t beginning_len)
{
	return memcmp(bytes, beginning, len < beginning_len ? len : beginning_len) == 0;
}

/* --- version 1 --- */

/* Takes what stands before the next blank, or all, as a string of its own.  False when
 * that is nothing or too long. */
static bool word_take(const char **at, const char *end, char *ret_word, size_t size)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	size_t len = (size_t)((blank != NULL ? blank : end) - *at);
	if (len == 0 || len >= size || memchr(*at, '\0', len) != NULL)
		return false;
	memcpy(ret_word, *at, len);
	ret_word[len] = '\0';
	*at += len;
	return true;
}

/* Exactly one, and not the last of the line. */
static bool blank_take(const char **at, const char *end)
{
	if (*at == end || **at != ' ')
		return false;
	(*at)++;
	return true;
}

static bool host_take(const char **at, const char *end, struct endpoint *endpoint)
{
	char word[INET6_ADDRSTRLEN];
	return word_take(at, end, word, sizeof(word)) && inet_pton(endpoint->family, word, endpoint->ip) == 1;
}

static bool port_take(const char **at, const char *end, uint16_t *ret_port)
{
	char word[PORT_DIGITS_MAX + 1];
	unsigned port = 0;
	if (!word_take(at, end, word, sizeof(word)) || (word[0] == '0' && word[1] != '\0'))
		return false;
	for (const char *digit = word; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return false;
		port = port * 10 + (unsigned)(*digit - '0');
	}
	*ret_port = (uint16_t)port;
	return port <= PORT_MAX;
}

static const char *v1_addresses(const char *at, const char *end, struct proxy_header *header)
{
	if (!blank_take(&at, end) || !host_take(&at, end, &header->source))
		return "the source address is none of its family";
	if (!blank_take(&at, end) || !host_take(&at, end, &header->destination))
		return "the destination address is none of its family";
	if (!blank_take(&at, end) || !port_take(&at, end, &header->source.port))
		return "the source port is no port";
	if (!blank_take(&at, end) || !port_take(&at, end, &header->destination.port))
		return "the destination port is no port";
	return at == end ? NULL : "the line goes on behind the ports";
}

/* The line without "PROXY " and without its end. */
static const char *v1_line(const char *at, const char *end, struct proxy_header *header)
{
	static const struct {
		const char *word;
		uint8_t family;
	} families[] = {{"TCP4", AF_INET}, {"TCP6", AF_INET6}, {"UNKNOWN", AF_UNSPEC}};
	char word[sizeof("UNKNOWN")];
	if (!word_take(&at, end, word, sizeof(word)))
		return "the protocol is none of TCP4, TCP6 and UNKNOWN";
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		if (strcmp(families[i].word, word) != 0)
			continue;
		header->source.family = header->destination.family = families[i].family;
		/* Whatever follows UNKNOWN is to be ignored. */
		return families[i].family == AF_UNSPEC ? NULL : v1_addresses(at, end, header);
	}
	return "the protocol is none of TCP4, TCP6 and UNKNOWN";
}

static enum proxy_result v1_parse(
	const uint8_t *bytes, size_t len, struct proxy_header *header, const char **ret_reason)
{
	size_t seen = len < PROXY_V1_BYTES_MAX ? len : PROXY_V1_BYTES_MAX, end = 0;
	while (end < seen && bytes[end] != '\r' && bytes[end] != '\n')
		end++;
	if (end == PROXY_V1_BYTES_MAX || (end + 1 == PROXY_V1_BYTES_MAX && seen == PROXY_V1_BYTES_MAX))
		return invalid("the line is longer than 107 bytes", ret_reason);
	if (end < seen && bytes[end] == '\n')
		return invalid("the line ends without CR", ret_reason);
	if (end + 1 >= seen)
		return PROXY_NEED_MORE;
	if (bytes[end + 1] != '\n')
		return invalid("a CR without LF is in the line", ret_reason);
	CHECK(end >= sizeof(v1_begin)); /* which has neither CR nor LF in it */
	const char *text = (const char *)bytes;
	const char *reason = v1_line(text + sizeof(v1_begin), text + end, header);
	if (reason != NULL)
		return invalid(reason, ret_reason);
	header->version = 1;
	header->command = PROXY_COMMAND_PROXY;
	header->bytes = (uint32_t)end + 2;
	return PROXY_OK;
}

/* --- version 2 --- */

/* The block of addresses of a family and transport. */
struct v2_family {
	uint8_t code;
	uint8_t family; /* AF_UNSPEC: its addresses are not this connection's */
	uint16_t block_bytes;
	bool has_block; /* false: what follows is not told by the family */
};

static const struct v2_family v2_families[] = {
	{PROXY_FAMILY_UNSPEC, AF_UNSPEC, 0, false},
	{0x01, AF_UNSPEC, 0, false},
	{0x02, AF_UNSPEC, 0, false},
	{0x10, AF_UNSPEC, 0, false},
	{PROXY_FAMILY_TCP4, AF_INET, V4_BLOCK_BYTES, true},
	{0x12, AF_UNSPEC, V4_BLOCK_BYTES, true},
	{0x20, AF_UNSPEC, 0, false},
	{PROXY_FAMILY_TCP6, AF_INET6, V6_BLOCK_BYTES, true},
	{0x22, AF_UNSPEC, V6_BLOCK_BYTES, true},
	{0x30, AF_UNSPEC, 0, false},
	{PROXY_FAMILY_UNIX, AF_UNIX, UNIX_BLOCK_BYTES, true},
	{0x32, AF_UNSPEC, UNIX_BLOCK_BYTES, true},
};

static const struct v2_family *v2_family_find(uint8_t code)
{
	for (size_t i = 0; i < ARRAY_LENGTH(v2_families); i++) {
		if (v2_families[i].code == code)
			return &v2_families[i];
	}
	return NULL;
}

static void v2_ip_read(const uint8_t *block, uint8_t family, struct proxy_header *header)
{
	size_t ip_bytes = family == AF_INET ? 4 : 16;
	const uint8_t *ports = block + 2 * ip_bytes;
	header->source.family = header->destination.family = family;
	memcpy(header->source.ip, block, ip_bytes);
	memcpy(header->destination.ip, block + ip_bytes, ip_bytes);
	header->source.port = proxy_u16(ports);
	header->destination.port = proxy_u16(ports + 2);
}

/* An abstract name begins with a zero that belongs to it. */
static struct proxy_span path_span(const uint8_t *field)
{
	uint16_t len = PROXY_PATH_BYTES;
	while (len > 0 && field[len - 1] == '\0')
		len--;
	return (struct proxy_span){field, len};
}

static void v2_addresses_read(const uint8_t *block, uint8_t family, struct proxy_header *header)
{
	if (family == AF_INET || family == AF_INET6)
		v2_ip_read(block, family, header);
	if (family != AF_UNIX)
		return;
	header->source = header->destination = (struct endpoint){.family = AF_UNIX, .is_local = 1};
	header->source_path = path_span(block);
	header->destination_path = path_span(block + PROXY_PATH_BYTES);
}

/* All that can be told from the bytes that are there. */
static const char *v2_fixed_check(const uint8_t *bytes, size_t len)
{
	if (len > 12 && bytes[12] >> 4 != 2)
		return "the version is not 2";
	if (len > 12 && (bytes[12] & 15) > PROXY_COMMAND_PROXY)
		return "the command is neither LOCAL nor PROXY";
	bool is_local = len > 12 && (bytes[12] & 15) == PROXY_COMMAND_LOCAL;
	const struct v2_family *family = len > 13 ? v2_family_find(bytes[13]) : NULL;
	if (len > 13 && !is_local && family == NULL)
		return "the address family or transport does not exist";
	if (len < PROXY_V2_FIXED_BYTES)
		return NULL;
	if (proxy_u16(bytes + 14) > PROXY_HEADER_BYTES_MAX - PROXY_V2_FIXED_BYTES)
		return "the header is longer than 4096 bytes";
	if (!is_local && proxy_u16(bytes + 14) < family->block_bytes)
		return "the header is too short for its addresses";
	return NULL;
}

/* The header is complete. */
static const char *v2_block_parse(const uint8_t *bytes, struct proxy_header *header)
{
	const struct v2_family *family = v2_family_find(bytes[13]);
	struct proxy_span tlvs = {bytes + PROXY_V2_FIXED_BYTES, proxy_u16(bytes + 14)};
	if (header->command == PROXY_COMMAND_LOCAL && bytes[13] != PROXY_FAMILY_UNSPEC)
		return NULL;
	if (!family->has_block)
		return proxy_tlvs_are_whole(tlvs) ? proxy_tlvs_parse(tlvs, bytes, header) : NULL;
	v2_addresses_read(tlvs.bytes, family->family, header);
	tlvs.bytes += family->block_bytes;
	tlvs.len = (uint16_t)(tlvs.len - family->block_bytes);
	return proxy_tlvs_parse(tlvs, bytes, header);
}

static enum proxy_result v2_parse(
	const uint8_t *bytes, size_t len, struct proxy_header *header, const char **ret_reason)
{
	const char *reason = v2_fixed_check(bytes, len);
	if (reason != NULL)
		return invalid(reason, ret_reason);
	if (len < PROXY_V2_FIXED_BYTES)
		return PROXY_NEED_MORE;
	header->version = 2;
	header->command = bytes[12] & 15;
	header->bytes = PROXY_V2_FIXED_BYTES + proxy_u16(bytes + 14);
	if (len < header->bytes)
		return PROXY_NEED_MORE;
	reason = v2_block_parse(bytes, header);
	return reason == NULL ? PROXY_OK : invalid(reason, ret_reason);
}

enum proxy_result proxy_protocol_parse(
	const uint8_t *bytes, size_t len, struct proxy_header *ret_header, const char **ret_reason)
{
	struct proxy_header header = {0};
	enum proxy_result result;
	if (begins(bytes, len, v1_begin, sizeof(v1_begin)))
		result = len > 0 ? v1_parse(bytes, len, &header, ret_reason) : PROXY_NEED_MORE;
	else if (begins(bytes, len, proxy_v2_signature, sizeof(proxy_v2_signature)))
		result = v2_parse(bytes, len, &header, ret_reason);
	else
		result = invalid("the first bytes are not those of a PROXY header", ret_reason);
	if (result == PROXY_OK)
		*ret_header = header;
	return result;
}
