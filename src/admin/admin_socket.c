/* Listening sockets of the control thread. */
#include "admin/admin_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum { ADMIN_BACKLOG = 128 };

static bool is_path(const struct address *address)
{
	return address->any.sa_family == AF_UNIX && address->len > offsetof(struct sockaddr_un, sun_path) &&
		address->local.sun_path[0] != '\0';
}

/* The name it has until it is ready: beside the final one, so that rename() works. */
static int temporary_name(const struct address *address, struct address *ret_temporary)
{
	size_t room = sizeof(ret_temporary->local.sun_path);
	*ret_temporary = *address;
	int len = snprintf(
		ret_temporary->local.sun_path, room, "%s.%d.tmp", address->local.sun_path, (int)getpid());
	if (len < 0 || (size_t)len >= room)
		return -ENAMETOOLONG;
	ret_temporary->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len + 1);
	return 0;
}

static int path_check(const char *path)
{
	struct stat status;
	if (lstat(path, &status) != 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISSOCK(status.st_mode) ? 0 : -EEXIST;
}

static int path_own(const char *path, const struct admin_socket_options *options)
{
	if (options->mode >= 0 && chmod(path, (mode_t)options->mode) != 0)
		return -errno;
	if ((options->uid >= 0 || options->gid >= 0) &&
		chown(path, options->uid >= 0 ? (uid_t)options->uid : (uid_t)-1,
			options->gid >= 0 ? (gid_t)options->gid : (gid_t)-1) != 0)
		return -errno;
	return 0;
}

static int path_publish(const char *temporary, struct admin_socket *listening)
{
	struct stat status;
	const char *path = listening->address.local.sun_path;
	if (rename(temporary, path) != 0)
		return -errno;
	if (lstat(path, &status) != 0)
		return -errno;
	listening->path_device = (uint64_t)status.st_dev;
	listening->path_inode = (uint64_t)status.st_ino;
	return 0;
}

static int path_open(int fd, const struct admin_socket_options *options, struct admin_socket *listening)
{
	struct address temporary;
	int error = path_check(options->address.local.sun_path);
	if (error == 0)
		error = temporary_name(&options->address, &temporary);
	if (error != 0)
		return error;
	const char *name = temporary.local.sun_path;
	(void)unlink(name);
	if (bind(fd, &temporary.any, temporary.len) != 0)
		return -errno;
	error = path_own(name, options);
	if (error == 0 && listen(fd, ADMIN_BACKLOG) != 0)
		error = -errno;
	if (error == 0)
		error = path_publish(name, listening);
	if (error != 0)
		(void)unlink(name);
	return error;
}

static int address_open(int fd, const struct address *address)
{
	int on = 1;
	if (address->any.sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &address->any, address->len) != 0 || listen(fd, ADMIN_BACKLOG) != 0)
		return -errno;
	return 0;
}

/* Returns 0 or -errno. */
static int address_take(int *ret_fd, const struct admin_socket_options *options)
{
	const struct socket_wanted wanted = {.address = &options->address, .number = -1};
	struct socket_label label;
	if (!options->bound_before)
		return -ENOENT;
	*ret_fd = socket_set_take(options->bound_before, &wanted, &label);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int any_open(int fd, const struct admin_socket_options *options, struct admin_socket *listening)
{
	if (is_path(&options->address))
		return path_open(fd, options, listening);
	return address_open(fd, &options->address);
}

int admin_socket_offer(const struct admin_socket *listening, struct socket_set *set)
{
	const struct socket_label label = {.text = ""};
	if (listening->fd < 0 || is_path(&listening->address))
		return 0;
	return socket_set_add_copy(set, listening->fd, &label);
}

int admin_socket_open(const struct admin_socket_options *options, struct admin_socket *ret_socket)
{
	struct admin_socket listening = {.fd = -1, .address = options->address};
	FD_AUTO int fd = -1;
	if (is_path(&options->address) || address_take(&fd, options) != 0) {
		fd = socket(options->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return -errno;
		int error = any_open(fd, options, &listening);
		if (error != 0)
			return error;
	}
	listening.fd = fd;
	fd = -1;
	*ret_socket = listening;
	return 0;
}

void admin_socket_close(struct admin_socket *listening)
{
	struct stat status;
	const char *path = listening->address.local.sun_path;
	fd_close(&listening->fd);
	if (listening->path_inode == 0 || lstat(path, &status) != 0)
		return;
	if ((uint64_t)status.st_ino == listening->path_inode &&
		(uint64_t)status.st_dev == listening->path_device)
		(void)unlink(path);
	listening->path_inode = 0;
}
