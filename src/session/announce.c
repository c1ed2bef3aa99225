/* send-proxy: the header that tells the server whose the connection is, with what a
 * proxy before us has said of it. */

#include <sys/socket.h>

#include "base/check.h"
#include "session/session_internal.h"

static struct proxy_span tlv_span(const struct session_tlv *tlv)
{
	return tlv->is_present ? (struct proxy_span){tlv->bytes, tlv->len} : (struct proxy_span){0};
}

/* HAProxy takes no unix addresses, and sends LOCAL itself. */
static bool has_ip_addresses(const struct proxy_header *header)
{
	unsigned family = header->source.family;
	return (family == AF_INET || family == AF_INET6) && header->destination.family == family;
}

static void tlvs_add(
	const struct session_tlvs *tlvs, const struct config_send_proxy *config, struct proxy_header *header)
{
	header->alpn = tlv_span(&tlvs->alpn);
	if (config->has_authority)
		header->authority = tlv_span(&tlvs->authority);
	if (config->has_unique_id)
		header->unique_id = tlv_span(&tlvs->unique_id);
}

uint32_t session_announce(const struct session *session, uint8_t *storage)
{
	const struct config_send_proxy *config = &session->last_server->config->send_proxy;
	if (!config->has_v1 && !config->has_v2)
		return 0;
	struct proxy_header header = {
		.version = config->has_v2 ? 2 : 1,
		.source = session->client,
		.has_checksum = config->has_crc32c,
	};
	session_frontend_local(session, &header.destination);
	header.command = has_ip_addresses(&header) ? PROXY_COMMAND_PROXY : PROXY_COMMAND_LOCAL;
	if (session->header != NULL && session->header->tlvs != NULL)
		tlvs_add(session->header->tlvs, config, &header);
	int len = proxy_protocol_compose(&header, storage, SESSION_PREFIX_BYTES_MAX);
	/* All parts have limits, and their sum fits. */
	CHECK(len > 0);
	return (uint32_t)len;
}
