/* Sockets that others have bound: kept, found, sent, received. */
#include "net/socket_set.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"

enum {
	SEND_LIMIT_MS = 5000, /* for a whole set */
	PASSED_FIRST_FD = 3, /* sd_listen_fds(3) */
	MESSAGE_MAGIC = 0x73706c31,
};

enum message_kind { MESSAGE_SOCKET = 1, MESSAGE_END = 2 };

/* One message; a descriptor goes with MESSAGE_SOCKET.  Between versions of the program, so
 * what is added goes to the end and the magic number changes. */
struct message {
	uint32_t magic, kind;
	struct socket_label label;
};

/* --- contents --- */

/* Two descriptors of one socket have the same. */
static uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static bool is_known(const struct socket_set *set, int fd)
{
	uint64_t cookie = socket_cookie(fd);
	for (unsigned i = 0; i < set->count; i++) {
		if (set->entries[i].fd >= 0 && cookie != 0 && socket_cookie(set->entries[i].fd) == cookie)
			return true;
	}
	return false;
}

static int room_make(struct socket_set *set)
{
	enum { ROOM_MIN = 16 };
	if (set->count < set->room)
		return 0;
	if (set->count >= SOCKET_SET_MAX)
		return -E2BIG;
	unsigned room = set->room == 0 ? ROOM_MIN : set->room * 2;
	struct socket_entry *entries = realloc(set->entries, room * sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	set->entries = entries;
	set->room = room;
	return 0;
}

int socket_set_add(struct socket_set *set, int fd, const struct socket_label *label)
{
	FD_AUTO int owned = fd;
	if (is_known(set, owned))
		return 0;
	int error = room_make(set);
	if (error < 0)
		return error;
	struct socket_entry *entry = &set->entries[set->count++];
	*entry = (struct socket_entry){.fd = owned, .label = *label};
	owned = -1;
	return 0;
}

int socket_set_add_copy(struct socket_set *set, int fd, const struct socket_label *label)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : socket_set_add(set, copy, label);
}

void socket_set_release(struct socket_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		fd_close(&set->entries[i].fd);
	free(set->entries);
	*set = (struct socket_set){0};
}

/* --- what systemd passes --- */

/* A number from the environment, or -1. */
static long environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	long number = text != NULL ? strtol(text, &end, 10) : -1;
	return text == NULL || end == text || *end != '\0' || number < 0 ? -1 : number;
}

/* Copies the next of the names that colons part; returns the rest. */
static const char *name_take(const char *names, char *ret_name, size_t size)
{
	size_t len = strcspn(names, ":");
	snprintf(ret_name, size, "%.*s", (int)len, names);
	return names[len] == ':' ? names + len + 1 : names + len;
}

static bool is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int socket_set_add_passed(struct socket_set *set, bool is_parent_meant)
{
	long pid = environment_number("LISTEN_PID"), count = environment_number("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	if (count <= 0 || count > SOCKET_SET_MAX || pid != (is_parent_meant ? getppid() : getpid()))
		return 0;
	if (names == NULL)
		names = "";
	for (int fd = PASSED_FIRST_FD; fd < PASSED_FIRST_FD + (int)count; fd++) {
		char name[SOCKET_LABEL_MAX - sizeof("fd@")];
		struct socket_label label = {.path_inode = 0};
		names = name_take(names, name, sizeof(name));
		snprintf(label.text, sizeof(label.text), "fd@%s", name[0] != '\0' ? name : "unknown");
		if (!is_stream(fd) || is_known(set, fd))
			continue;
		int error = fd_set_nonblocking(fd);
		if (error == 0)
			error = socket_set_add(set, fd, &label);
		if (error < 0)
			return error;
		set->entries[set->count - 1].has_number = true;
	}
	return 0;
}

/* --- finding one --- */

static bool option_is(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, level, name, &value, &len) == 0 && value != 0;
}

/* A new socket shows what the system gives without being asked: the network
 * namespace, and whether IPv6 sockets take IPv4 as well. */
static bool is_as_new(int fd, int probe, const struct socket_wanted *wanted)
{
	uint64_t here = 0, there = 0;
	socklen_t len = sizeof(here);
	if (getsockopt(probe, SOL_SOCKET, SO_NETNS_COOKIE, &here, &len) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &there, &len) == 0 && here != there)
		return false;
	if (wanted->address->any.sa_family != AF_INET6)
		return true;
	bool is_v6only = option_is(probe, IPPROTO_IPV6, IPV6_V6ONLY);
	if (wanted->is_v4v6)
		is_v6only = false;
	if (wanted->is_v6only)
		is_v6only = true;
	return option_is(fd, IPPROTO_IPV6, IPV6_V6ONLY) == is_v6only;
}

static bool is_bound_as_wanted(int fd, const struct socket_wanted *wanted)
{
	char interface[64] = "";
	socklen_t len = sizeof(interface);
	bool is_v6 = wanted->address->any.sa_family == AF_INET6;
	int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	bool is_transparent = option_is(fd, level, is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT) ||
		option_is(fd, level, is_v6 ? IPV6_FREEBIND : IP_FREEBIND);
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, &len) != 0)
		return false;
	if (strcmp(interface, wanted->interface != NULL ? wanted->interface : "") != 0 ||
		is_transparent != wanted->is_transparent)
		return false;
	FD_AUTO int probe = socket(wanted->address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return probe >= 0 && is_as_new(fd, probe, wanted);
}

static bool address_fits(int fd, const struct socket_wanted *wanted)
{
	struct address address = {.len = sizeof(struct sockaddr_un)};
	if (wanted->address->len == 0 || getsockname(fd, &address.any, &address.len) != 0 ||
		!address_is_equal(&address, wanted->address))
		return false;
	return address.any.sa_family == AF_UNIX || is_bound_as_wanted(fd, wanted);
}

/* Its path still leads to it, as far as the sender knew. */
static bool path_is_there(const struct socket_label *label)
{
	struct stat status;
	return label->path_inode == 0 ||
		(lstat(label->text, &status) == 0 && status.st_ino == label->path_inode &&
			status.st_dev == label->path_device);
}

static bool entry_fits(const struct socket_entry *entry, const struct socket_wanted *wanted)
{
	if (entry->fd < 0)
		return false;
	if (entry->has_number && entry->fd == wanted->number)
		return true;
	if (wanted->label != NULL && entry->label.text[0] != '\0' &&
		strcmp(entry->label.text, wanted->label) == 0)
		return path_is_there(&entry->label);
	return address_fits(entry->fd, wanted);
}

int socket_set_take(
	struct socket_set *set, const struct socket_wanted *wanted, struct socket_label *ret_label)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct socket_entry *entry = &set->entries[i];
		if (!entry_fits(entry, wanted))
			continue;
		int fd = entry->fd;
		entry->fd = -1;
		*ret_label = entry->label;
		return fd;
	}
	return -ENOENT;
}

/* --- files --- */

static bool has_file(const struct socket_set *set, const struct socket_label *label)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct socket_label *other = &set->entries[i].label;
		if (other->path_inode == label->path_inode && other->path_device == label->path_device)
			return true;
	}
	return false;
}

void socket_set_remove_files(const struct socket_set *set, const struct socket_set *kept)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct socket_entry *entry = &set->entries[i];
		const struct socket_label *label = &entry->label;
		bool is_left = entry->fd >= 0 && label->path_inode != 0;
		if (is_left && (kept == NULL || !has_file(kept, label)) && path_is_there(label))
			(void)unlink(label->text);
	}
}

/* --- between processes --- */

static int ready_wait(int channel, short events, uint64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = channel, .events = events};
	uint64_t now_ms = clock_monotonic_ms();
	if (now_ms >= deadline_ms)
		return -ETIMEDOUT;
	int ready = poll(&poll_fd, 1, (int)(deadline_ms - now_ms));
	return ready < 0 && errno != EINTR ? -errno : 0;
}

/* fd -1: none goes along. */
static int message_send(int channel, const struct message *message, int fd, uint64_t deadline_ms)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		header.msg_control = control.space;
		header.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	for (;;) {
		ssize_t sent = sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == (ssize_t)sizeof(*message))
			return 0;
		if (sent >= 0)
			return -EPROTO;
		/* Too many descriptors on their way: the other side has to take some first. */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int error = ready_wait(channel, POLLOUT, deadline_ms);
		if (error < 0)
			return error;
	}
}

int socket_set_send(const struct socket_set *set, int channel)
{
	uint64_t deadline_ms = clock_monotonic_ms() + SEND_LIMIT_MS;
	struct message message = {.magic = MESSAGE_MAGIC, .kind = MESSAGE_SOCKET};
	for (unsigned i = 0; i < set->count; i++) {
		if (set->entries[i].fd < 0)
			continue;
		message.label = set->entries[i].label;
		int error = message_send(channel, &message, set->entries[i].fd, deadline_ms);
		if (error < 0)
			return error;
	}
	message = (struct message){.magic = MESSAGE_MAGIC, .kind = MESSAGE_END};
	snprintf(message.label.text, sizeof(message.label.text), "%s", set->note);
	return message_send(channel, &message, -1, deadline_ms);
}

/* What came along, or -1.  Only one is asked for, and more would not fit. */
static int message_fd(struct msghdr *header)
{
	int fd = -1;
	const struct cmsghdr *control = CMSG_FIRSTHDR(header);
	if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS &&
		control->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

int socket_set_receive_next(struct socket_set *set, int channel)
{
	struct message message;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t len = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	FD_AUTO int fd = message_fd(&header);
	if (len == 0)
		return -ECONNRESET;
	if (header.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	if (len != (ssize_t)sizeof(message) || message.magic != MESSAGE_MAGIC)
		return -EPROTO;
	message.label.text[sizeof(message.label.text) - 1] = '\0';
	if (message.kind == MESSAGE_END) {
		snprintf(set->note, sizeof(set->note), "%s", message.label.text);
		return 0;
	}
	if (message.kind != MESSAGE_SOCKET || fd < 0)
		return -EPROTO;
	int socket_fd = fd;
	fd = -1;
	int error = socket_set_add(set, socket_fd, &message.label);
	return error < 0 ? error : 1;
}

int socket_set_receive(struct socket_set *set, int channel)
{
	uint64_t deadline_ms = clock_monotonic_ms() + SEND_LIMIT_MS;
	for (;;) {
		int result = socket_set_receive_next(set, channel);
		if (result == -EAGAIN)
			result = ready_wait(channel, POLLIN, deadline_ms);
		else if (result <= 0)
			return result;
		if (result < 0)
			return result;
	}
}
