/* The choice of a congestion control, and its trial. */
#include "net/congestion.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

enum { CONGESTION_NAME_MAX = 16 };

int congestion_set(int fd, const char *name)
{
	if (name == NULL)
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0 ? 0 : -errno;
}

static bool is_paced(const char *name)
{
	return strncmp(name, "bbr", 3) == 0;
}

/* NULL: the system's default serves inside this host, too. */
static const char *choose_unpaced(void)
{
	char name[CONGESTION_NAME_MAX + 1] = "";
	socklen_t len = CONGESTION_NAME_MAX;
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) != 0 || !is_paced(name))
		return NULL;
	/* Reno is in every kernel, and everyone may have it. */
	return congestion_set(fd, "cubic") == 0 ? "cubic" : "reno";
}

const char *congestion_choose(const char *configured, const struct address *address)
{
	if (configured != NULL)
		return configured;
	return address_is_loopback(address) ? choose_unpaced() : NULL;
}

int congestion_check(const char *name)
{
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 ? congestion_set(fd, name) : -errno;
}
