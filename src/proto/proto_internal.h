/* What the files of the PROXY protocol tell only each other. */
#pragma once

#include "proto/proxy_protocol.h"

enum proxy_tlv_type {
	PROXY_TLV_ALPN = 0x01,
	PROXY_TLV_AUTHORITY = 0x02,
	PROXY_TLV_CRC32C = 0x03,
	PROXY_TLV_UNIQUE_ID = 0x05,
	PROXY_TLV_SSL = 0x20,
	PROXY_TLV_SSL_VERSION = 0x21,
	PROXY_TLV_SSL_COMMON_NAME = 0x22,
	PROXY_TLV_SSL_CIPHER = 0x23,
	PROXY_TLV_SSL_SIGNATURE = 0x24,
	PROXY_TLV_SSL_KEY = 0x25,
	PROXY_TLV_NETNS = 0x30,
};

enum { PROXY_TLV_HEAD_BYTES = 3, PROXY_CHECKSUM_BYTES = 4 };

/* Byte 14: family and transport. */
enum proxy_family {
	PROXY_FAMILY_UNSPEC = 0x00,
	PROXY_FAMILY_TCP4 = 0x11,
	PROXY_FAMILY_TCP6 = 0x21,
	PROXY_FAMILY_UNIX = 0x31,
};

extern const uint8_t proxy_v2_signature[12];

static inline uint16_t proxy_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t proxy_u32(const uint8_t *bytes)
{
	return (uint32_t)proxy_u16(bytes) << 16 | proxy_u16(bytes + 2);
}

/* Whether the bytes are TLVs one behind the other, to the end. */
bool proxy_tlvs_are_whole(struct proxy_span tlvs);
/* Reads the TLVs, which stand at the end of the header's bytes, into the header.
 * Returns NULL, or what is wrong. */
const char *proxy_tlvs_parse(struct proxy_span tlvs, const uint8_t *bytes, struct proxy_header *header);
