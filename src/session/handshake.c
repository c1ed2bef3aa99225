/* accept-proxy: a connection begins with a PROXY header that says whose it is.  The
 * bytes are looked at where they lie until the header is whole, and then exactly it is
 * taken, so that what follows is the relay's. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "session/session_internal.h"

static bool is_trusted(const struct config_accept_proxy *config, const struct endpoint *peer)
{
	if (config->is_any_trusted || (config->is_unix_trusted && peer->family == AF_UNIX))
		return true;
	for (unsigned i = 0; i < config->trusted_count; i++) {
		if (network_has(&config->trusted[i], peer))
			return true;
	}
	return false;
}

static void turn_away(struct session *session)
{
	unsigned worker = session->table->worker;
	counter_add(&session->listener->frontend->counters[worker].refused_connections, 1);
	counter_add(&session->listener->counters[worker].refused_connections, 1);
	session_close(session, CLOSE_PROXY_UNTRUSTED, FAREWELL_RESET, FAREWELL_RESET);
}

void session_handshake_begin(struct session *session)
{
	uint32_t limit_ms = session_frontend_config(session)->timeouts.client_hs_ms;
	if (!session->is_proxy_expected &&
		!is_trusted(&session->listener->config->accept_proxy, &session->client)) {
		turn_away(session);
		return;
	}
	session->header = pool_get(&session->table->headers);
	if (session->header == NULL) {
		session_close(session, CLOSE_RESOURCE, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	session->header->peer = session->client;
	if (limit_ms != 0)
		session_timer_set(session, session_now_ms(session) + limit_ms);
}

void session_handshake_timeout(struct session *session)
{
	session_close(session, CLOSE_PROXY_TIMEOUT, FAREWELL_ORDERLY, FAREWELL_RESET);
}

void session_handshake_release(struct session *session)
{
	if (session->header == NULL)
		return;
	pool_put(&session->table->tlvs, session->header->tlvs);
	pool_put(&session->table->headers, session->header);
	session->header = NULL;
}

static void refuse(struct session *session, const char *complaint)
{
	session->header->complaint = complaint;
	session_close(session, CLOSE_PROXY_INVALID, FAREWELL_RESET, FAREWELL_RESET);
}

static void tlv_keep(struct proxy_span span, struct session_tlv *tlv)
{
	if (span.bytes == NULL)
		return;
	tlv->is_present = true;
	tlv->len = (uint8_t)span.len;
	memcpy(tlv->bytes, span.bytes, span.len);
}

static bool tlvs_keep(struct session *session, const struct proxy_header *header)
{
	bool has_any = header->alpn.bytes != NULL || header->authority.bytes != NULL ||
		header->unique_id.bytes != NULL;
	if (!has_any)
		return true;
	struct session_tlvs *tlvs = pool_get(&session->table->tlvs);
	if (tlvs == NULL)
		return false;
	tlv_keep(header->alpn, &tlvs->alpn);
	tlv_keep(header->authority, &tlvs->authority);
	tlv_keep(header->unique_id, &tlvs->unique_id);
	session->header->tlvs = tlvs;
	return true;
}

/* The header is whole.  Its bytes are in the socket's queue, so one read takes them. */
static void accept_header(struct session *session, const struct proxy_header *header, uint8_t *bytes)
{
	bool has_room = tlvs_keep(session, header);
	if (!has_room) {
		session_close(session, CLOSE_RESOURCE, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	if (recv(session->client_fd, bytes, header->bytes, MSG_DONTWAIT) != (ssize_t)header->bytes) {
		session_close(session, CLOSE_CLIENT_LEFT, FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	if (header->source.family != AF_UNSPEC) {
		session->client = header->source;
		session->header->destination = header->destination;
	}
	session->header->wait_ms = (uint32_t)(session_now_ms(session) - session->accepted_ms);
	loop_timer_cancel(session->table->loop, &session->timer);
	session_enter(session, SESSION_CHOOSING);
	session_begin(session);
}

/* Each edge brings news, so what was looked at in vain is looked at again with it. */
void session_handshake_advance(struct session *session)
{
	uint8_t bytes[PROXY_HEADER_BYTES_MAX];
	struct proxy_header header;
	const char *reason = NULL;
	ssize_t len;
	do {
		len = recv(session->client_fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0) {
		session_close(session, CLOSE_CLIENT_LEFT, FAREWELL_ORDERLY, FAREWELL_RESET);
		return;
	}
	switch (proxy_protocol_parse(bytes, (size_t)len, &header, &reason)) {
	case PROXY_OK:
		accept_header(session, &header, bytes);
		return;
	case PROXY_INVALID:
		refuse(session, reason);
		return;
	case PROXY_NEED_MORE:
		/* The end came behind what is here: no more can follow. */
		if (session->client_events & LOOP_PEER_CLOSED)
			refuse(session, "the connection ended within the PROXY header");
		return;
	}
	CHECK(false);
}

const struct endpoint *session_peer(const struct session *session)
{
	return session->header != NULL ? &session->header->peer : &session->client;
}

void session_frontend_local(const struct session *session, struct endpoint *ret_endpoint)
{
	if (session->header != NULL && session->header->destination.family != AF_UNSPEC)
		*ret_endpoint = session->header->destination;
	else
		session_socket_local(session->client_fd, ret_endpoint);
}
