/* Descriptors: closing, flags and the process's limit. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved_errno = errno;

	if (*fd < 0)
		return;
	/* Linux releases the number even when close() is interrupted. */
	(void)close(*fd);
	*fd = -1;
	errno = saved_errno;
}

int fd_set_nonblocking(int fd)
{
	int status_flags = fcntl(fd, F_GETFL);
	int fd_flags = fcntl(fd, F_GETFD);

	if (status_flags < 0 || fd_flags < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, status_flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, fd_flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

unsigned long fd_limit_raise(unsigned long wanted)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur >= wanted)
		return limit.rlim_cur;

	raised.rlim_cur = wanted;
	raised.rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return raised.rlim_cur;

	/* The hard limit may not be raised by us: use all of it. */
	raised.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	raised.rlim_max = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return raised.rlim_cur;
	return limit.rlim_cur;
}

int fd_pending_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}
