/* The TLVs of version 2: type, length, value, one behind the other. */

#include "proto/proto_internal.h"

#include "proto/crc32c.h"

/* Where one kind of value is kept, and how long it may be. */
struct tlv_slot {
	uint8_t type;
	uint16_t bytes_max;
	struct proxy_span *span;
};

/* Takes the first TLV off.  False: none is left, or what is left is none. */
static bool tlv_next(struct proxy_span *rest, uint8_t *ret_type, struct proxy_span *ret_value)
{
	if (rest->len < PROXY_TLV_HEAD_BYTES)
		return false;
	uint16_t len = proxy_u16(rest->bytes + 1);
	if (rest->len - PROXY_TLV_HEAD_BYTES < len)
		return false;
	*ret_type = rest->bytes[0];
	*ret_value = (struct proxy_span){rest->bytes + PROXY_TLV_HEAD_BYTES, len};
	rest->bytes += PROXY_TLV_HEAD_BYTES + len;
	rest->len = (uint16_t)(rest->len - PROXY_TLV_HEAD_BYTES - len);
	return true;
}

bool proxy_tlvs_are_whole(struct proxy_span tlvs)
{
	struct proxy_span value;
	uint8_t type;
	while (tlv_next(&tlvs, &type, &value))
		continue;
	return tlvs.len == 0;
}

static const char *slot_fill(struct tlv_slot *slot, struct proxy_span value)
{
	if (slot->span->bytes != NULL)
		return "the same TLV comes twice";
	if (value.len > slot->bytes_max)
		return "a TLV is longer than its type may be";
	*slot->span = value;
	return NULL;
}

/* Types that have no slot are not ours to judge. */
static const char *slots_fill(struct tlv_slot *slots, unsigned count, uint8_t type, struct proxy_span value)
{
	for (unsigned i = 0; i < count; i++) {
		if (slots[i].type == type)
			return slot_fill(&slots[i], value);
	}
	return NULL;
}

static const char *walk(struct proxy_span tlvs, struct tlv_slot *slots, unsigned count)
{
	struct proxy_span value;
	const char *reason = NULL;
	uint8_t type;
	while (reason == NULL && tlv_next(&tlvs, &type, &value))
		reason = slots_fill(slots, count, type, value);
	if (reason != NULL)
		return reason;
	return tlvs.len > 0 ? "a TLV is longer than the header that it is in" : NULL;
}

/* One byte of flags, four of the verification's result, then TLVs of its own. */
static const char *ssl_parse(struct proxy_span value, struct proxy_ssl *ssl)
{
	enum { FIXED_BYTES = 5 };
	struct tlv_slot slots[] = {
		{PROXY_TLV_SSL_VERSION, UINT16_MAX, &ssl->version},
		{PROXY_TLV_SSL_COMMON_NAME, UINT16_MAX, &ssl->common_name},
		{PROXY_TLV_SSL_CIPHER, UINT16_MAX, &ssl->cipher},
		{PROXY_TLV_SSL_SIGNATURE, UINT16_MAX, &ssl->signature_algorithm},
		{PROXY_TLV_SSL_KEY, UINT16_MAX, &ssl->key_algorithm},
	};
	if (value.len < FIXED_BYTES)
		return "the TLV about TLS is too short";
	ssl->is_present = true;
	ssl->client = value.bytes[0];
	ssl->verify = proxy_u32(value.bytes + 1);
	struct proxy_span inner = {value.bytes + FIXED_BYTES, (uint16_t)(value.len - FIXED_BYTES)};
	return walk(inner, slots, ARRAY_LENGTH(slots));
}

/* Over the whole header, as if the checksum's own bytes were zero. */
static const char *checksum_verify(
	struct proxy_span value, const uint8_t *bytes, const struct proxy_header *header)
{
	static const uint8_t zeros[PROXY_CHECKSUM_BYTES];
	if (value.len != PROXY_CHECKSUM_BYTES)
		return "the checksum is not four bytes long";
	const uint8_t *behind = value.bytes + PROXY_CHECKSUM_BYTES;
	uint32_t crc = crc32c(CRC32C_START, bytes, (size_t)(value.bytes - bytes));
	crc = crc32c(crc, zeros, sizeof(zeros));
	crc = crc32c(crc, behind, (size_t)(bytes + header->bytes - behind));
	return crc == proxy_u32(value.bytes) ? NULL : "the checksum is wrong";
}

const char *proxy_tlvs_parse(struct proxy_span tlvs, const uint8_t *bytes, struct proxy_header *header)
{
	struct proxy_span checksum = {0}, ssl = {0};
	struct tlv_slot slots[] = {
		{PROXY_TLV_ALPN, PROXY_ALPN_BYTES_MAX, &header->alpn},
		{PROXY_TLV_AUTHORITY, PROXY_AUTHORITY_BYTES_MAX, &header->authority},
		{PROXY_TLV_CRC32C, UINT16_MAX, &checksum},
		{PROXY_TLV_UNIQUE_ID, PROXY_UNIQUE_ID_BYTES_MAX, &header->unique_id},
		{PROXY_TLV_SSL, UINT16_MAX, &ssl},
		{PROXY_TLV_NETNS, UINT16_MAX, &header->netns},
	};
	const char *reason = walk(tlvs, slots, ARRAY_LENGTH(slots));
	if (reason == NULL && checksum.bytes != NULL)
		reason = checksum_verify(checksum, bytes, header);
	header->has_checksum = checksum.bytes != NULL;
	if (reason == NULL && ssl.bytes != NULL)
		reason = ssl_parse(ssl, &header->ssl);
	return reason;
}
