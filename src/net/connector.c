/* Opening the socket towards a server: options, source address, connect.  What to
 * do about a failure is the session's business. */
#include "net/connector.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "net/congestion.h"
#include "net/socket_options.h"

/* A walk over the ports of a source range, each visited once. */
struct port_walk {
	unsigned first, size; /* size 0: no range */
	unsigned start, tried;
};

static void port_walk_init(struct port_walk *walk, const struct config_source_address *source)
{
	static uint32_t calls;
	*walk = (struct port_walk){0};
	if (!source || !source->is_set || source->port_first == 0)
		return;
	unsigned last = source->port_last > source->port_first ? source->port_last : source->port_first;
	walk->first = source->port_first;
	walk->size = last - source->port_first + 1;
	uint64_t salt = (uint64_t)__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) << 40;
	walk->start = (unsigned)(hash_mix(clock_monotonic_us() ^ salt) % walk->size);
}

static bool port_walk_has_more(const struct port_walk *walk)
{
	return walk->tried < walk->size;
}

static uint16_t port_walk_next(struct port_walk *walk)
{
	return (uint16_t)(walk->first + (walk->start + walk->tried++) % walk->size);
}

static int flag_set(int fd, int level, int name)
{
	const int on = 1;
	return setsockopt(fd, level, name, &on, sizeof(on)) == 0 ? 0 : -errno;
}

/* Binds to the next port of the range that is free; -EADDRNOTAVAIL at its end. */
static int bind_in_range(int fd, const struct address *wanted, struct port_walk *walk)
{
	int error = flag_set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (error)
		return error;
	struct address address = *wanted;
	while (port_walk_has_more(walk)) {
		address_set_port(&address, port_walk_next(walk));
		if (bind(fd, &address.any, address.len) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRNOTAVAIL;
}

static int source_bind(int fd, const struct connect_request *request, struct port_walk *walk)
{
	const struct config_source_address *source = request->source;
	if (source->interface) {
		const char *name = source->interface;
		if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) != 0)
			return -errno;
	}
	if (!source->is_set || source->address.len == 0)
		return 0;
	if (source->address.any.sa_family != request->destination->any.sa_family)
		return -EAFNOSUPPORT;
	if (walk->size > 0)
		return bind_in_range(fd, &source->address, walk);
	/* The port is then chosen by connect(), which needs to be unique per destination
	 * only.  A kernel without it just has fewer ports. */
	(void)flag_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	return bind(fd, &source->address.any, source->address.len) == 0 ? 0 : -errno;
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

/* One socket, one connect.  0 and -EINPROGRESS give the fd. */
static int attempt(const struct connect_request *request, struct port_walk *walk, int *ret_fd)
{
	const struct address *destination = request->destination;
	FD_AUTO int fd = socket(destination->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Before connect: the window scale is announced in the SYN. */
	int error = socket_options_buffers(fd, request->rcvbuf_bytes, request->sndbuf_bytes);
	if (error == 0 && destination->any.sa_family != AF_UNIX) {
		error = options_set(fd, request);
		if (error == 0 && request->source)
			error = source_bind(fd, request, walk);
	}
	if (error)
		return error;
	int answer = connect(fd, &destination->any, destination->len) == 0 ? 0 : -errno;
	if (answer != 0 && answer != -EINPROGRESS)
		return answer;
	*ret_fd = fd;
	fd = -1;
	return answer;
}

int connector_open(const struct connect_request *request, int *ret_fd)
{
	CHECK(request->destination->len > 0);
	struct port_walk walk;
	port_walk_init(&walk, request->source);
	for (;;) {
		int answer = attempt(request, &walk, ret_fd);
		/* A port may be bound by several sockets as long as they go to different
		 * servers, so that it is taken for this one shows only in connect(). */
		bool is_port_taken = answer == -EADDRNOTAVAIL && port_walk_has_more(&walk);
		if (!is_port_taken)
			return answer;
	}
}

int connector_result(int fd)
{
	return -fd_pending_error(fd);
}
