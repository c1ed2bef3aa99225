/* Sockets from a running process, orders from a master. */
#include "start/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static const char channel_variable[] = "SPLICED_MASTER_FD";

int handover_channel_find(void)
{
	const char *text = getenv(channel_variable);
	char *end = NULL;
	long number = text != NULL ? strtol(text, &end, 10) : -1;
	if (text == NULL || end == text || *end != '\0' || number < 0 || number > INT32_MAX)
		return -1;
	int channel = (int)number;
	(void)unsetenv(channel_variable);
	return fd_set_nonblocking(channel) == 0 ? channel : -1;
}

void handover_channel_pass(int channel)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", channel);
	(void)setenv(channel_variable, text, 1);
	(void)fcntl(channel, F_SETFD, 0);
}

/* --- from a running process --- */

static int runtime_connect(const char *path)
{
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;
	if (address_parse(path, &spec, &reason) < 0 ||
		address_resolve(&spec, spec.port_first, &address) < 0 || address.any.sa_family != AF_UNIX)
		return -EINVAL;
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &address.any, address.len) != 0)
		return -errno;
	int connected = fd;
	fd = -1;
	return connected;
}

int handover_ask(const char *path, struct socket_set *set)
{
	static const char question[] = "_getsocks\n";
	FD_AUTO int fd = runtime_connect(path);
	int error = fd < 0 ? fd : 0;
	if (error == 0 && send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question))
		error = -EPIPE;
	if (error == 0)
		error = socket_set_receive(set, fd);
	if (error == -EPROTO)
		log_event(LOG_LEVEL_ALERT,
			"the process behind %s does not pass its sockets on: its 'stats socket' needs 'level admin expose-fd listeners'.",
			path);
	else if (error < 0)
		log_event(LOG_LEVEL_ALERT, "cannot take the listening sockets over from %s: %s", path,
			strerror(-error));
	return error;
}

/* --- orders --- */

int handover_order_send(int channel, const struct handover_order *order)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)order, .iov_len = sizeof(*order)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	if (order->fd >= 0) {
		header.msg_control = control.space;
		header.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(order->fd));
		memcpy(CMSG_DATA(&control.header), &order->fd, sizeof(order->fd));
	}
	return sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int handover_order_receive(int channel, struct handover_order *ret_order)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = ret_order, .iov_len = sizeof(*ret_order)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t len = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	ret_order->fd = -1;
	const struct cmsghdr *first = CMSG_FIRSTHDR(&header);
	if (first != NULL && first->cmsg_type == SCM_RIGHTS && first->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&ret_order->fd, CMSG_DATA(first), sizeof(ret_order->fd));
	if (len == 0)
		return -ECONNRESET;
	ret_order->text[sizeof(ret_order->text) - 1] = '\0';
	if (len == (ssize_t)sizeof(*ret_order))
		return 0;
	fd_close(&ret_order->fd);
	return -EPROTO;
}
