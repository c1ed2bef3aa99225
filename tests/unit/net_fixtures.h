/* Sockets and frontends for the tests of src/net. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/fd.h"
#include "net/frontend.h"
#include "net/listener.h"

/* A proxy with one bind line, and what is made of them. */
struct net_fixture {
	struct config_global global;
	struct config_proxy proxy;
	struct config_bind bind;
	struct frontend *frontend;
	char reason[256];
};

static inline struct address fixture_address(const char *text)
{
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;
	assert_int_equal(address_parse(text, &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, spec.port_first, &address), 0);
	return address;
}

static inline void fixture_bind_init(struct config_bind *bind, const char *text)
{
	*bind = (struct config_bind){.text = text, .inherited_fd = -1};
	bind->unix_mode = bind->unix_uid = bind->unix_gid = -1;
	if (strncmp(text, "fd@", 3) == 0)
		bind->inherited_fd = (int)strtol(text + 3, NULL, 10);
	else
		bind->address = fixture_address(text);
}

static inline void fixture_init(struct net_fixture *fixture, const char *text)
{
	*fixture = (struct net_fixture){0};
	fixture->proxy = (struct config_proxy){.name = "f", .roles = CONFIG_ROLE_FRONTEND};
	fixture_bind_init(&fixture->bind, text);
	fixture->proxy.binds = &fixture->bind;
}

/* Returns what listener_open_all() said. */
static inline int fixture_open(struct net_fixture *fixture, unsigned workers)
{
	assert_int_equal(frontend_create(&fixture->proxy, workers, 1000, &fixture->frontend), 0);
	return listener_open_all(
		fixture->frontend, &fixture->global, fixture->reason, sizeof(fixture->reason));
}

static inline void fixture_close(struct net_fixture *fixture)
{
	frontend_destroy(fixture->frontend);
	fixture->frontend = NULL;
}

/* Where the fixture's first listener can be reached. */
static inline struct address fixture_target(const struct net_fixture *fixture)
{
	struct address target = fixture->bind.address;
	if (target.len == 0 || target.any.sa_family != AF_UNIX)
		address_from_endpoint(&fixture->frontend->listeners->local, &target);
	return target;
}

/* A blocking client that is connected (its handshake is done by the kernel), or -errno. */
static inline int fixture_connect(const struct address *target)
{
	int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, &target->any, target->len) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static inline int fixture_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* Valid until the next call. */
static inline const char *fixture_congestion(int fd)
{
	static char name[17];
	socklen_t len = sizeof(name) - 1;
	memset(name, 0, sizeof(name));
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	return name;
}

/* Descriptors of this process that are open below a bound. */
static inline unsigned fixture_fds_open(void)
{
	unsigned count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}
