/* Files of listening unix sockets: made beside, renamed into place, removed only
 * while still ours. */
#include "net/net_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int socket_path_prepare(struct socket_path *path, const struct address *address)
{
	struct stat status;
	path->final = address->local.sun_path;
	path->temporary = *address;
	if (lstat(path->final, &status) == 0 && !S_ISSOCK(status.st_mode)) {
		path->complaint = "something that is not a socket has this path";
		return -EEXIST;
	}
	struct sockaddr_un *local = &path->temporary.local;
	int len = snprintf(local->sun_path, sizeof(local->sun_path), "%s.%d.tmp", path->final, (int)getpid());
	if (len >= (int)sizeof(local->sun_path)) {
		path->complaint = "the path is too long";
		return -ENAMETOOLONG;
	}
	path->temporary.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len + 1);
	/* Left by a process that died with our number. */
	if (lstat(local->sun_path, &status) == 0 && S_ISSOCK(status.st_mode))
		(void)unlink(local->sun_path);
	return 0;
}

int socket_path_own(struct socket_path *path, const struct config_bind *config)
{
	const char *name = path->temporary.local.sun_path;
	if ((config->unix_uid >= 0 || config->unix_gid >= 0) &&
		chown(name, (uid_t)config->unix_uid, (gid_t)config->unix_gid) != 0) {
		path->complaint = "cannot change the socket's owner";
		return -errno;
	}
	if (config->unix_mode >= 0 && chmod(name, (mode_t)config->unix_mode) != 0) {
		path->complaint = "cannot change the socket's mode";
		return -errno;
	}
	return 0;
}

int socket_path_publish(struct socket_path *path, struct listener *listener)
{
	const char *name = path->temporary.local.sun_path;
	struct stat status;
	if (lstat(name, &status) != 0 || rename(name, path->final) != 0) {
		path->complaint = "cannot move the socket into place";
		return -errno;
	}
	listener->path_device = status.st_dev;
	listener->path_inode = status.st_ino;
	listener->is_path_ours = true;
	return 0;
}

void socket_path_abandon(const struct socket_path *path)
{
	(void)unlink(path->temporary.local.sun_path);
}

void socket_path_remove(struct listener *listener)
{
	const char *name = listener->config->address.local.sun_path;
	struct stat status;
	if (listener->path_inode == 0 || !listener->is_path_ours)
		return;
	bool is_ours = lstat(name, &status) == 0 && status.st_dev == listener->path_device &&
		status.st_ino == listener->path_inode;
	/* Gone or another process's by now: nothing of ours is left there. */
	if (is_ours)
		(void)unlink(name);
	listener->path_inode = 0;
}
