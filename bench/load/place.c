/* Where a load goes to and where a server listens; see place.h. */
#include "place.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 65535 };

static int address_of(const char *text, struct address *ret_address, const char **ret_reason)
{
	struct address_spec spec;
	if (address_parse(text, &spec, ret_reason) != 0)
		return -EINVAL;
	if (spec.kind == ADDRESS_FD || spec.is_port_relative) {
		*ret_reason = "it is neither ADDR:PORT nor a path";
		return -EINVAL;
	}
	if (spec.kind == ADDRESS_IP && (!spec.has_port || spec.port_first != spec.port_last)) {
		*ret_reason = "it needs one port";
		return -EINVAL;
	}
	if (address_resolve(&spec, spec.port_first, ret_address) != 0) {
		*ret_reason = "there is no such address";
		return -EINVAL;
	}
	return 0;
}

int place_parse(const char *text, bool is_netns_allowed, struct place *ret_place, const char **ret_reason)
{
	char address[ADDRESS_HOST_MAX];
	struct place place = {0};
	const char *at = is_netns_allowed ? strrchr(text, '@') : NULL;
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	if (len >= sizeof(address) || (at != NULL && strlen(at + 1) >= sizeof(place.netns))) {
		*ret_reason = "it is too long";
		return -EINVAL;
	}
	if (at != NULL && at[1] == '\0') {
		*ret_reason = "the namespace after '@' is missing";
		return -EINVAL;
	}
	memcpy(address, text, len);
	address[len] = '\0';
	if (at != NULL)
		memcpy(place.netns, at + 1, strlen(at + 1));
	if (address_of(address, &place.address, ret_reason) != 0)
		return -EINVAL;
	*ret_place = place;
	return 0;
}

void place_print(const struct place *place, char ret_text[PLACE_TEXT_MAX])
{
	address_print(&place->address, ret_text, PLACE_TEXT_MAX);
}

static bool is_local(const struct place *place)
{
	return place->address.any.sa_family == AF_UNIX;
}

static void remove_stale(const struct place *place)
{
	struct stat status;
	const char *path = place->address.local.sun_path;
	if (path[0] != '\0' && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		(void)unlink(path);
}

static int listen_here(const struct place *place, const char **ret_what)
{
	int one = 1;
	FD_AUTO int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	*ret_what = "socket";
	if (fd < 0)
		return -errno;
	if (is_local(place))
		remove_stale(place);
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	*ret_what = "bind";
	if (bind(fd, &place->address.any, place->address.len) != 0)
		return -errno;
	*ret_what = "listen";
	if (listen(fd, BACKLOG) != 0)
		return -errno;
	int kept = fd;
	fd = -1;
	return kept;
}

static int netns_open(const char *name)
{
	char path[192];
	bool is_path = strchr(name, '/') != NULL;
	(void)snprintf(path, sizeof(path), "%s%s", is_path ? "" : "/run/netns/", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

int place_listen(const struct place *place, const char **ret_what)
{
	if (place->netns[0] == '\0')
		return listen_here(place, ret_what);
	*ret_what = "opening the network namespace";
	FD_AUTO int ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ours < 0)
		return -errno;
	FD_AUTO int theirs = netns_open(place->netns);
	if (theirs < 0)
		return theirs;
	*ret_what = "entering the network namespace";
	if (setns(theirs, CLONE_NEWNET) != 0)
		return -errno;
	int listener = listen_here(place, ret_what);
	CHECK(setns(ours, CLONE_NEWNET) == 0);
	return listener;
}

int place_connect(const struct place *place)
{
	int one = 1;
	FD_AUTO int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!is_local(place))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &place->address.any, place->address.len) != 0 && errno != EINPROGRESS)
		return -errno;
	int kept = fd;
	fd = -1;
	return kept;
}

void place_forget(const struct place *place)
{
	if (is_local(place))
		remove_stale(place);
}

int place_learn(int listener, struct place *place)
{
	socklen_t len = sizeof(place->address.v6);
	if (is_local(place))
		return 0;
	if (getsockname(listener, &place->address.any, &len) != 0)
		return -errno;
	place->address.len = len;
	return 0;
}
