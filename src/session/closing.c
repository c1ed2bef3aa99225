/* A side has broken off.  The other one gets all that was sent before, then a
 * reset: a clean end would hide that the stream is cut.  The reset must not
 * overtake the bytes, and the kernel drops unsent ones at a reset, so it waits
 * until they are acknowledged, for a bounded time. */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "base/fd.h"
#include "session/session_internal.h"

enum {
	PAUSE_MIN_MS = 2,
	PAUSE_MAX_MS = 100,
	LIMIT_DEFAULT_MS = 30000,
};

int session_unsent_bytes(int fd)
{
	int bytes = 0;
	if (fd < 0 || ioctl(fd, SIOCOUTQ, &bytes) != 0)
		return 0;
	return bytes;
}

bool session_socket_is_dead(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE;
}

static enum close_reason reason_of(enum relay_side broken_side)
{
	return broken_side == RELAY_CLIENT ? CLOSE_CLIENT_RESET : CLOSE_SERVER_RESET;
}

static int healthy_fd(const struct session *session)
{
	return session->broken_side == RELAY_CLIENT ? session->server_fd : session->client_fd;
}

static bool is_local(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static uint32_t limit_ms(const struct session *session)
{
	const struct config_timeouts *timeouts = session->broken_side == RELAY_CLIENT
		? &session->backend->config->timeouts
		: &session_frontend_config(session)->timeouts;
	uint32_t fin_ms =
		session->broken_side == RELAY_CLIENT ? timeouts->server_fin_ms : timeouts->client_fin_ms;
	return fin_ms != 0 ? fin_ms : LIMIT_DEFAULT_MS;
}

/* On a unix socket what was sent is with the peer already and survives the close.
 * The kernel keeps counting the bytes of a connection that was reset meanwhile, and a socket
 * that has no part in the connection any more may not know of the last acknowledgement. */
static bool is_delivered(const struct session *session)
{
	int fd = healthy_fd(session);
	return session->relay.is_carried || session_unsent_bytes(fd) == 0 || is_local(fd) ||
		session_socket_is_dead(fd);
}

void session_closing_check(struct session *session)
{
	uint64_t elapsed_ms = session_now_ms(session) - session->step_ms;
	if (is_delivered(session) || elapsed_ms >= limit_ms(session)) {
		session_close(session, reason_of(session->broken_side), FAREWELL_RESET, FAREWELL_RESET);
		return;
	}
	uint64_t pause_ms = elapsed_ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : elapsed_ms;
	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	session_timer_set(session, session_now_ms(session) + pause_ms);
}

void session_closing_begin(struct session *session, enum relay_side broken_side)
{
	session->broken_side = (uint8_t)broken_side;
	session->step_ms = session_now_ms(session);
	session_enter(session, SESSION_CLOSING);
	session_closing_check(session);
}
