/* Opening the socket towards a server: options and connect; source_address.c has where from.
 * What to do about a failure is the session's business. */
#include "net/connector.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/fd.h"
#include "net/congestion.h"
#include "net/socket_options.h"
#include "net/source_address.h"

static int flag_set(int fd, int level, int name)
{
	const int on = 1;
	return setsockopt(fd, level, name, &on, sizeof(on)) == 0 ? 0 : -errno;
}

/* They only ever lower what would be announced, and nothing breaks without them. */
static void mirror_set(int fd, const struct connect_mirror *mirror)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mirror->segment_bytes, sizeof(mirror->segment_bytes));
	(void)socket_options_window_scale(fd, mirror->window_scale);
}

static int options_set(int fd, const struct connect_request *request)
{
	int error = socket_options_nodelay(fd);
	if (error == 0 && request->keepalive)
		error = socket_options_keepalive(fd, request->keepalive);
	if (error == 0)
		error = socket_options_user_timeout(fd, request->user_timeout_ms);
	if (error == 0 && request->has_smart_connect)
		error = socket_options_delay_ack(fd);
	/* It was tried at start; what has changed since must not stop the service. */
	(void)congestion_set(fd, request->congestion);
	if (error == 0)
		error = socket_options_urgent_inline(fd);
	if (request->mirror != NULL)
		mirror_set(fd, request->mirror);
	if (error == 0 && request->has_tfo)
		error = flag_set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT);
	return error;
}

static int attempt_ip(int fd, const struct connect_request *request, struct source_walk *walk)
{
	const struct address *destination = request->destination;
	int error = options_set(fd, request);
	if (error == 0)
		error = source_walk_bind(walk, fd);
	if (error)
		return error;
	int answer = connect(fd, &destination->any, destination->len) == 0 ? 0 : -errno;
	if (answer != 0 && answer != -EINPROGRESS)
		return answer;
	error = source_walk_check(walk, fd);
	return error ? error : answer;
}

/* One socket, one connect.  0 and -EINPROGRESS give the fd. */
static int attempt(const struct connect_request *request, struct source_walk *walk, int *ret_fd)
{
	const struct address *destination = request->destination;
	FD_AUTO int fd = socket(destination->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Before connect: the window scale is announced in the SYN. */
	int answer = socket_options_buffers(fd, request->rcvbuf_bytes, request->sndbuf_bytes);
	if (answer != 0)
		return answer;
	if (walk != NULL)
		answer = attempt_ip(fd, request, walk);
	else
		answer = connect(fd, &destination->any, destination->len) == 0 ? 0 : -errno;
	if (answer != 0 && answer != -EINPROGRESS)
		return answer;
	*ret_fd = fd;
	fd = -1;
	return answer;
}

int connector_open(const struct connect_request *request, int *ret_fd)
{
	CHECK(request->destination->len > 0);
	struct source_walk walk;
	if (request->destination->any.sa_family == AF_UNIX)
		return attempt(request, NULL, ret_fd);
	int answer = source_walk_init(&walk, request);
	if (answer != 0)
		return answer;
	do {
		answer = attempt(request, &walk, ret_fd);
		/* That a port is taken for this server shows only in connect(). */
	} while (answer == -EADDRNOTAVAIL && source_walk_next(&walk));
	return answer;
}

int connector_result(int fd)
{
	return -fd_pending_error(fd);
}
