/* Writing a header of either version. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "proto/crc32c.h"
#include "proto/proto_internal.h"

/* Bytes written one behind the other; what does not fit is remembered. */
struct writer {
	uint8_t *start;
	size_t size, len;
	bool is_cut;
};

static uint8_t *take(struct writer *writer, size_t len)
{
	if (writer->is_cut || writer->size - writer->len < len) {
		writer->is_cut = true;
		return NULL;
	}
	uint8_t *place = writer->start + writer->len;
	writer->len += len;
	return place;
}

static void put(struct writer *writer, const void *bytes, size_t len)
{
	uint8_t *place = take(writer, len);
	if (place != NULL && len > 0)
		memcpy(place, bytes, len);
}

static void put_u8(struct writer *writer, uint8_t value)
{
	put(writer, &value, sizeof(value));
}

static void put_u16(struct writer *writer, uint16_t value)
{
	put_u8(writer, (uint8_t)(value >> 8));
	put_u8(writer, (uint8_t)value);
}

static int result_of(const struct writer *writer)
{
	return writer->is_cut ? -ENOSPC : (int)writer->len;
}

/* The one family that both have, else AF_UNSPEC. */
static unsigned family_of(const struct proxy_header *header)
{
	bool is_same = header->source.family == header->destination.family;
	return is_same && header->command == PROXY_COMMAND_PROXY ? header->source.family : AF_UNSPEC;
}

static int compose_v1(const struct proxy_header *header, struct writer *writer)
{
	char line[PROXY_V1_BYTES_MAX + 1], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	unsigned family = family_of(header);
	struct text text;
	text_init(&text, line, sizeof(line));
	if (family == AF_INET || family == AF_INET6) {
		endpoint_print_host(&header->source, source, sizeof(source));
		endpoint_print_host(&header->destination, destination, sizeof(destination));
		text_printf(&text, "PROXY %s %s %s %u %u\r\n", family == AF_INET ? "TCP4" : "TCP6", source,
			destination, header->source.port, header->destination.port);
	} else {
		text_add(&text, "PROXY UNKNOWN\r\n");
	}
	put(writer, text.start, text.len);
	return result_of(writer);
}

static void put_path(struct writer *writer, struct proxy_span path)
{
	uint8_t *field = take(writer, PROXY_PATH_BYTES);
	if (field == NULL)
		return;
	memset(field, 0, PROXY_PATH_BYTES);
	if (path.len > 0)
		memcpy(field, path.bytes, path.len);
}

static void put_addresses(struct writer *writer, const struct proxy_header *header, unsigned family)
{
	size_t ip_bytes = family == AF_INET ? 4 : 16;
	if (family == AF_UNIX) {
		put_path(writer, header->source_path);
		put_path(writer, header->destination_path);
		return;
	}
	if (family != AF_INET && family != AF_INET6)
		return;
	put(writer, header->source.ip, ip_bytes);
	put(writer, header->destination.ip, ip_bytes);
	put_u16(writer, header->source.port);
	put_u16(writer, header->destination.port);
}

static uint8_t family_code(unsigned family)
{
	switch (family) {
	case AF_INET:
		return PROXY_FAMILY_TCP4;
	case AF_INET6:
		return PROXY_FAMILY_TCP6;
	case AF_UNIX:
		return PROXY_FAMILY_UNIX;
	}
	return PROXY_FAMILY_UNSPEC;
}

static void put_tlv(struct writer *writer, enum proxy_tlv_type type, struct proxy_span value)
{
	if (value.bytes == NULL)
		return;
	put_u8(writer, (uint8_t)type);
	put_u16(writer, value.len);
	put(writer, value.bytes, value.len);
}

static bool spans_are_legal(const struct proxy_header *header)
{
	return header->source_path.len <= PROXY_PATH_BYTES &&
		header->destination_path.len <= PROXY_PATH_BYTES &&
		header->alpn.len <= PROXY_ALPN_BYTES_MAX &&
		header->authority.len <= PROXY_AUTHORITY_BYTES_MAX &&
		header->unique_id.len <= PROXY_UNIQUE_ID_BYTES_MAX;
}

static void u32_write(uint8_t *place, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		place[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int compose_v2(const struct proxy_header *header, struct writer *writer)
{
	static const uint8_t zeros[PROXY_CHECKSUM_BYTES];
	unsigned family = family_of(header);
	size_t checksum_at = 0;
	put(writer, proxy_v2_signature, sizeof(proxy_v2_signature));
	put_u8(writer, (uint8_t)(0x20 | header->command));
	put_u8(writer, family_code(family));
	put_u16(writer, 0);
	put_addresses(writer, header, family);
	if (header->has_checksum) {
		checksum_at = writer->len + PROXY_TLV_HEAD_BYTES;
		put_tlv(writer, PROXY_TLV_CRC32C, (struct proxy_span){zeros, sizeof(zeros)});
	}
	put_tlv(writer, PROXY_TLV_ALPN, header->alpn);
	put_tlv(writer, PROXY_TLV_AUTHORITY, header->authority);
	put_tlv(writer, PROXY_TLV_UNIQUE_ID, header->unique_id);
	put_tlv(writer, PROXY_TLV_NETNS, header->netns);
	if (writer->is_cut)
		return -ENOSPC;
	size_t behind = writer->len - PROXY_V2_FIXED_BYTES;
	writer->start[14] = (uint8_t)(behind >> 8);
	writer->start[15] = (uint8_t)behind;
	if (header->has_checksum)
		u32_write(writer->start + checksum_at, crc32c(CRC32C_START, writer->start, writer->len));
	return result_of(writer);
}

int proxy_protocol_compose(const struct proxy_header *header, uint8_t *storage, size_t size)
{
	struct writer writer = {
		.start = storage, .size = size < PROXY_HEADER_BYTES_MAX ? size : PROXY_HEADER_BYTES_MAX};
	if (!spans_are_legal(header))
		return -EINVAL;
	return header->version == 1 ? compose_v1(header, &writer) : compose_v2(header, &writer);
}
