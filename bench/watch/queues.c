/* The sock_diag dumps of queues.h. */
#include "queues.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	STATE_ESTABLISHED = 1,
	STATE_FIN_WAIT1 = 4,
	STATE_FIN_WAIT2 = 5,
	STATE_CLOSE_WAIT = 8,
	STATE_LAST_ACK = 9,
	STATE_LISTEN = 10,
	STATE_CLOSING = 11,
	/* Sockets with queues: neither half-open nor TIME_WAIT. */
	STATES = 1 << STATE_ESTABLISHED | 1 << STATE_FIN_WAIT1 | 1 << STATE_FIN_WAIT2 |
		1 << STATE_CLOSE_WAIT | 1 << STATE_LAST_ACK | 1 << STATE_LISTEN | 1 << STATE_CLOSING,
	ANSWER_BYTES = 32 * 1024,
	ANSWER_TIMEOUT_S = 5,
};

static bool is_same_file(int a, int b)
{
	struct stat first, second;
	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
		first.st_dev == second.st_dev;
}

static int diag_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	return fd < 0 ? -errno : fd;
}

/* A socket stays in the namespace it was made in; the thread comes back. */
static int diag_socket_in(int namespace_fd)
{
	FD_AUTO int own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0)
		return -errno;
	if (is_same_file(own_fd, namespace_fd))
		return diag_socket();
	if (setns(namespace_fd, CLONE_NEWNET) != 0)
		return -errno;
	int fd = diag_socket();
	if (setns(own_fd, CLONE_NEWNET) != 0) {
		int error = errno;
		fd_close(&fd);
		return -error;
	}
	return fd;
}

int queues_init(struct queues *queues, int folder_fd, uint16_t port)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	*queues = (struct queues){.fd = -1, .port = port};
	FD_AUTO int namespace_fd = openat(folder_fd, "ns/net", O_RDONLY | O_CLOEXEC);
	if (namespace_fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	int fd = diag_socket_in(namespace_fd);
	if (fd < 0)
		return fd;
	queues->fd = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0)
		return -errno;
	return 0;
}

static int dump_ask(struct queues *queues, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++queues->sequence},
		.request = {.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = STATES,
			.id = {.idiag_sport = htons(queues->port)}},
	};
	ssize_t sent = send(queues->fd, &message, sizeof(message), 0);
	return sent < 0 ? -errno : 0;
}

static void socket_add(struct queues_reading *reading, const struct inet_diag_msg *socket)
{
	if (socket->idiag_state == STATE_LISTEN) {
		reading->listeners++;
		reading->accept_queue += socket->idiag_rqueue;
		reading->accept_queue_max += socket->idiag_wqueue;
		return;
	}
	reading->connections++;
	reading->receive_queue_bytes += socket->idiag_rqueue;
	reading->send_queue_bytes += socket->idiag_wqueue;
}

static int error_of(struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) || error->error >= 0)
		return -EPROTO;
	return error->error;
}

/* Adds what one datagram holds.  1 at the end of the dump, 0 when more follows, or -errno. */
static int answer_add(const struct queues *queues, char *bytes, size_t len, struct queues_reading *reading)
{
	struct nlmsghdr *header = (struct nlmsghdr *)(void *)bytes;
	for (; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
		if (header->nlmsg_seq != queues->sequence)
			continue; /* of a dump that was given up */
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR)
			return error_of(header);
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			socket_add(reading, NLMSG_DATA(header));
	}
	return 0;
}

static int dump_read(struct queues *queues, struct queues_reading *reading)
{
	_Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
	int result = 0;
	while (result == 0) {
		ssize_t got = recv(queues->fd, bytes, sizeof(bytes), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		result = answer_add(queues, bytes, (size_t)got, reading);
	}
	return result < 0 ? result : 0;
}

int queues_read(struct queues *queues, struct queues_reading *ret_reading)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct queues_reading reading = {0};
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		int result = dump_ask(queues, families[i]);
		if (result == 0)
			result = dump_read(queues, &reading);
		/* A kernel without IPv6 has no such table. */
		if (result < 0 && !(families[i] == AF_INET6 && result == -ENOENT))
			return result;
	}
	*ret_reading = reading;
	return 0;
}

void queues_release(struct queues *queues)
{
	if (queues != NULL)
		fd_close(&queues->fd);
}
