/* The socket calls of the proxy, answered by the model. */

#include "net_calls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "loop_fake.h"
#include "net_internal.h"
#include "sim_params.h"

/* Time passes and the network moves while the proxy works. */
static void call_begin(int fd)
{
	net_totals.calls++;
	net_jitter(fd);
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int __wrap_socket(int domain, int type, int protocol)
{
	static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	(void)protocol;
	SIM_CHECK((type & SOCK_NONBLOCK) && (type & SOCK_CLOEXEC) && domain == AF_INET,
		"a socket of type %d domain %d", type, domain);
	call_begin(-1);
	if (net_injects(sim_params.fault_socket))
		return refuse(errors[sim_below(ARRAY_LENGTH(errors))]);
	return net_fd_open(FD_NEW);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_in in;
	if (net_fd_of(fd) == NULL || len < sizeof(in))
		return refuse(EBADF);
	memcpy(&in, address, sizeof(in));
	net_fd_of(fd)->port = ntohs(in.sin_port);
	return 0;
}

int __wrap_listen(int fd, int backlog)
{
	(void)backlog;
	struct net_fd *entry = net_fd_of(fd);
	if (entry == NULL)
		return refuse(EBADF);
	entry->kind = FD_LISTENER;
	return 0;
}

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *peer_len, int flags)
{
	static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, EINTR, EPROTO};
	struct net_fd *entry = net_fd_of(fd);
	SIM_CHECK(entry != NULL && entry->kind == FD_LISTENER, "accept on fd %d", fd);
	SIM_CHECK((flags & SOCK_NONBLOCK) && (flags & SOCK_CLOEXEC), "accept without its flags");
	call_begin(fd);
	if (entry->backlog_count == 0)
		return refuse(EAGAIN);
	bool is_drought = net_has_faults && sim_now_us < sim_params.drought_ms * (uint64_t)SIM_US_PER_MS;
	if (is_drought || net_injects(sim_params.fault_accept)) {
		int error = is_drought ? EMFILE : errors[sim_below(ARRAY_LENGTH(errors))];
		SIM_TRACE("accept fails: %s", strerror(error));
		net_totals.accept_failures += error != ECONNABORTED && error != EINTR && error != EPROTO;
		return refuse(error);
	}
	struct net_connection *connection = net_backlog_take(entry);
	connection->fd = net_fd_open(FD_CONNECTION);
	net_fd_of(connection->fd)->connection = connection;
	net_totals.accepted++;
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)(20000 + connection->id))};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(peer, &in, sizeof(in));
	*peer_len = sizeof(in);
	SIM_TRACE("client %u accepted as fd %d", connection->id, connection->fd);
	return connection->fd;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	static const int errors[] = {
		ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, EHOSTUNREACH, ENOBUFS, EACCES, ETIMEDOUT};
	struct sockaddr_in in;
	SIM_CHECK(net_fd_of(fd) != NULL && net_fd_of(fd)->kind == FD_NEW && len >= sizeof(in),
		"connect on fd %d", fd);
	memcpy(&in, address, sizeof(in));
	call_begin(fd);
	if (net_injects(sim_params.fault_connect))
		return refuse(errors[sim_below(ARRAY_LENGTH(errors))]);
	if (net_server_connect(fd, (unsigned)ntohs(in.sin_port) - NET_SERVER_PORT) == 0)
		errno = EINPROGRESS;
	return -1;
}

/* --- bytes --- */

void net_pair(struct net_connection *connection)
{
	if (connection->pair != NULL || net_pair_find == NULL)
		return;
	struct net_connection *other = net_connection_of(net_pair_find(connection->fd));
	if (other == NULL)
		return;
	SIM_CHECK(other->role != connection->role, "connections %u and %u are joined", connection->id,
		other->id);
	connection->pair = other;
	other->pair = connection;
}

void net_order_check(
	struct net_connection *target, const struct net_connection *source, uint64_t position, uint32_t len)
{
	net_pair(target);
	SIM_CHECK(target->pair == source, "connection %u gets bytes of %u, which it is not joined with",
		target->id, source->id);
	SIM_CHECK(target->out.written == position, "connection %u gets byte %llu of the other side, not %llu",
		target->id, (unsigned long long)position, (unsigned long long)target->out.written);
	/* Looked at is enough: the copy engine takes them afterwards when room is short. */
	SIM_CHECK(position + len <= source->in.taken + net_readable(source),
		"connection %u gets bytes that have not come", target->id);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
	struct net_connection *connection = net_connection_of(fd);
	SIM_CHECK(connection != NULL && (flags & MSG_DONTWAIT) && size > 0, "recv on fd %d", fd);
	call_begin(fd);
	if (net_injects(sim_params.fault_eintr))
		return refuse(EINTR);
	uint32_t len = net_readable(connection);
	if (len == 0)
		return net_read_end(connection);
	if (len > size)
		len = (uint32_t)size;
	/* TCP drops what is truncated without touching the place to copy to. */
	for (uint32_t i = 0; i < len && !(flags & MSG_TRUNC); i++)
		((char *)bytes)[i] = net_content(connection, connection->in.taken + i);
	if (flags & MSG_PEEK)
		return len;
	net_taken(connection, len);
	SIM_TRACE("recv %u bytes from %u", len, connection->id);
	return len;
}

static void content_check(struct net_connection *connection, const char *bytes, uint32_t len)
{
	net_pair(connection);
	const struct net_connection *source = connection->pair;
	uint64_t position = connection->out.written;
	SIM_CHECK(
		source != NULL, "bytes for connection %u, which is not joined with another", connection->id);
	for (uint32_t i = 0; i < len; i++)
		SIM_CHECK(bytes[i] == net_content(source, position + i),
			"connection %u gets a wrong byte at %llu", connection->id,
			(unsigned long long)position + i);
	net_order_check(connection, source, position, len);
}

uint32_t net_send_some(struct net_connection *connection, uint64_t len)
{
	uint32_t room = net_room(connection);
	if (len > room) {
		len = room;
		connection->has_nospace = true;
	}
	/* The kernel's accounts are in other units than bytes: it may take less. */
	if (len > 1 && sim_chance(100)) {
		len = 1 + sim_below((uint32_t)len);
		connection->has_nospace = true;
	}
	return (uint32_t)len;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	struct net_connection *connection = net_connection_of(fd);
	SIM_CHECK(connection != NULL && (flags & MSG_DONTWAIT) && (flags & MSG_NOSIGNAL) && size > 0,
		"send on fd %d", fd);
	call_begin(fd);
	if (net_injects(sim_params.fault_eintr))
		return refuse(EINTR);
	int error = net_write_error(connection);
	if (error != 0)
		return refuse(error);
	uint32_t len = net_send_some(connection, size);
	if (len == 0)
		return refuse(EAGAIN);
	content_check(connection, bytes, len);
	net_sent(connection, len);
	SIM_TRACE("send %u of %zu bytes to %u", len, size, connection->id);
	return len;
}

int __wrap_shutdown(int fd, int how)
{
	struct net_connection *connection = net_connection_of(fd);
	SIM_CHECK(connection != NULL && how == SHUT_WR, "shutdown(%d) on fd %d", how, fd);
	call_begin(fd);
	if (connection->state != NET_OPEN)
		return refuse(ENOTCONN);
	net_pair(connection);
	const struct net_connection *source = connection->pair;
	SIM_CHECK(
		source != NULL && source->in.is_fin_arrived && connection->out.written == source->in.written,
		"the end is passed on to %u before all bytes were", connection->id);
	SIM_TRACE("shutdown of %u", connection->id);
	connection->out.is_fin_sent = true;
	connection->active_us = sim_now_us;
	net_sooner(&connection->out_us, sim_now_us + net_delay_us());
	if (connection->in.is_fin_arrived)
		loop_fake_wake(fd);
	return 0;
}

/* --- the descriptor --- */

static void listener_close(struct net_fd *entry)
{
	while (entry->backlog_count > 0) {
		struct net_connection *connection = net_backlog_take(entry);
		connection->is_lingering_off = true;
		net_connection_close(connection);
	}
}

int __wrap_close(int fd)
{
	struct net_fd *entry = net_fd_of(fd);
	if (entry == NULL && fd < NET_FD_BASE)
		return __real_close(fd);
	SIM_CHECK(entry != NULL, "fd %d is closed although it is not open", fd);
	call_begin(fd);
	if (entry->kind == FD_CONNECTION)
		net_connection_close(entry->connection);
	if (entry->kind == FD_LISTENER)
		listener_close(entry);
	if (entry->kind == FD_PIPE_READ || entry->kind == FD_PIPE_WRITE) {
		struct net_fd *other = net_fd_of(entry->pipe_other);
		if (other != NULL)
			other->pipe_other = -1;
	}
	net_fd_free(fd);
	return 0;
}

static int tcp_state(const struct net_fd *entry)
{
	if (entry->kind == FD_LISTENER)
		return TCP_LISTEN;
	const struct net_connection *connection = entry->connection;
	if (entry->kind != FD_CONNECTION || connection->state == NET_DEAD)
		return TCP_CLOSE;
	if (connection->state == NET_CONNECTING || connection->state == NET_REFUSING)
		return TCP_SYN_SENT;
	return connection->in.is_fin_arrived ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct net_fd *entry = net_fd_of(fd);
	SIM_CHECK(entry != NULL, "getsockopt on fd %d", fd);
	call_begin(fd);
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		const struct tcp_info info = {.tcpi_state = (uint8_t)tcp_state(entry)};
		if (*len > sizeof(info))
			*len = sizeof(info);
		memcpy(value, &info, *len);
		return 0;
	}
	int answer = 0;
	if (level == SOL_SOCKET && name == SO_ERROR && entry->kind == FD_CONNECTION) {
		answer = entry->connection->error;
		entry->connection->error = 0;
	}
	if (level == SOL_SOCKET && name == SO_DOMAIN)
		answer = AF_INET;
	if (level == SOL_SOCKET && name == SO_TYPE)
		answer = SOCK_STREAM;
	memcpy(value, &answer, sizeof(answer));
	*len = sizeof(answer);
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct net_fd *entry = net_fd_of(fd);
	SIM_CHECK(entry != NULL, "setsockopt on fd %d", fd);
	if (level == SOL_SOCKET && name == SO_LINGER && entry->kind == FD_CONNECTION) {
		struct linger linger;
		SIM_CHECK(len == sizeof(linger), "SO_LINGER of %u bytes", (unsigned)len);
		memcpy(&linger, value, sizeof(linger));
		entry->connection->is_lingering_off = linger.l_onoff && linger.l_linger == 0;
	}
	if (level == SOL_SOCKET && name == SO_RCVLOWAT && entry->kind == FD_CONNECTION) {
		memcpy(&entry->connection->wake_bytes, value, sizeof(entry->connection->wake_bytes));
		if (net_poll_quietly(fd) & LOOP_READABLE)
			loop_fake_wake(fd);
	}
	return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
	const struct net_fd *entry = net_fd_of(fd);
	SIM_CHECK(entry != NULL, "getsockname on fd %d", fd);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)entry->port)};
	memcpy(address, &in, sizeof(in));
	*len = sizeof(in);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	__builtin_va_list arguments;
	__builtin_va_start(arguments, request);
	int *answer = __builtin_va_arg(arguments, int *);
	__builtin_va_end(arguments);
	const struct net_connection *connection = net_connection_of(fd);
	SIM_CHECK(connection != NULL && (request == SIOCOUTQ || request == SIOCINQ), "ioctl on fd %d", fd);
	call_begin(fd);
	if (request == SIOCINQ) {
		*answer = (int)net_readable(connection);
		return 0;
	}
	/* Linux does not forget them when a reset comes. */
	*answer = (int)(connection->out.written - connection->out.arrived);
	return 0;
}
