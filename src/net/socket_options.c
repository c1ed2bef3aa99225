/* Socket options that listeners and server connections share.  Which of them a
 * socket gets is decided by the callers. */
#include "net/socket_options.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Unix sockets answer EOPNOTSUPP to everything of TCP. */
static int tcp_option_set(int fd, int name, int value)
{
	if (setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value)) == 0 || errno == EOPNOTSUPP)
		return 0;
	return -errno;
}

int socket_options_keepalive(int fd, const struct config_keepalive *keepalive)
{
	if (!keepalive->is_on)
		return 0;
	const int on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0)
		return -errno;
	const struct {
		int name;
		unsigned value;
	} details[] = {
		{TCP_KEEPCNT, keepalive->count},
		{TCP_KEEPIDLE, keepalive->idle_s},
		{TCP_KEEPINTVL, keepalive->interval_s},
	};
	for (size_t i = 0; i < ARRAY_LENGTH(details); i++) {
		if (details[i].value == 0)
			continue;
		int error = tcp_option_set(fd, details[i].name, (int)details[i].value);
		if (error)
			return error;
	}
	return 0;
}

int socket_options_user_timeout(int fd, unsigned timeout_ms)
{
	return timeout_ms ? tcp_option_set(fd, TCP_USER_TIMEOUT, (int)timeout_ms) : 0;
}

int socket_options_nodelay(int fd)
{
	return tcp_option_set(fd, TCP_NODELAY, 1);
}

int socket_options_delay_ack(int fd)
{
	return tcp_option_set(fd, TCP_QUICKACK, 0);
}

int socket_options_buffers(int fd, unsigned rcvbuf_bytes, unsigned sndbuf_bytes)
{
	if (rcvbuf_bytes && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes, sizeof(rcvbuf_bytes)) != 0)
		return -errno;
	if (sndbuf_bytes && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf_bytes, sizeof(sndbuf_bytes)) != 0)
		return -errno;
	return 0;
}

int socket_options_urgent_inline(int fd)
{
	const int on = 1;
	return setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0 ? 0 : -errno;
}

void socket_options_abort_on_close(int fd)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};
	/* Cannot fail on a socket; on anything else there is no RST to ask for. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int socket_options_window_scale(int fd, unsigned scale_max)
{
	int clamp = UINT16_MAX << scale_max;
	if (scale_max >= WINDOW_SCALE_ANY)
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, sizeof(clamp)) == 0 ? 0 : -errno;
}
