/* Choosing source ports.  The kernel chooses best, but lets ports rest in TIME_WAIT that a
 * socket bound to them by hand may take over (RFC 6191: time stamps keep the connections
 * apart); so where it has none left, ports are tried by hand. */
#include "net/source_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

enum {
	PORT_FIRST_DEFAULT = 32768,
	PORT_LAST_DEFAULT = 60999,
	/* After the kernel had no port, so long ports are first tried by hand. */
	KERNEL_REST_US = 1000 * 1000,
};

static struct {
	unsigned first, last;
} system_ports = {PORT_FIRST_DEFAULT, PORT_LAST_DEFAULT};

static _Thread_local uint64_t kernel_rests_until_us;

void source_ports_learn(void)
{
	char line[64], *end = NULL;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file) != NULL) {
		unsigned long first = strtoul(line, &end, 10), last = strtoul(end, NULL, 10);
		if (first > 0 && first <= last && last <= UINT16_MAX) {
			system_ports.first = (unsigned)first;
			system_ports.last = (unsigned)last;
		}
	}
	(void)fclose(file);
}

static int flag_set(int fd, int level, int name)
{
	const int on = 1;
	return setsockopt(fd, level, name, &on, sizeof(on)) == 0 ? 0 : -errno;
}

int source_usesrc_check(const struct config_source_address *source)
{
	if (source->usesrc == CONFIG_USESRC_NONE)
		return 0;
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : flag_set(fd, IPPROTO_IP, IP_TRANSPARENT);
}

static bool is_any(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* The client's address as the server's family can say it: a dual-stack listener has IPv4 in IPv6. */
static bool client_address(const struct connect_request *request, struct address *ret_address)
{
	struct endpoint client = *request->client;
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (client.family == AF_INET6 && memcmp(client.ip, mapped, sizeof(mapped)) == 0) {
		client.family = AF_INET;
		memmove(client.ip, client.ip + sizeof(mapped), 4);
	}
	if (client.family != request->destination->any.sa_family)
		return false;
	address_from_endpoint(&client, ret_address);
	return true;
}

/* usesrc: whose address the server is to see; false: our own. */
static bool foreign_address(const struct connect_request *request, struct address *ret_address)
{
	const struct config_source_address *source = request->source;
	if (request->client == NULL)
		return false;
	switch (source->usesrc) {
	case CONFIG_USESRC_NONE:
		return false;
	case CONFIG_USESRC_CLIENT:
		return client_address(request, ret_address);
	case CONFIG_USESRC_CLIENT_IP:
		if (!client_address(request, ret_address))
			return false;
		address_set_port(ret_address, 0);
		return true;
	case CONFIG_USESRC_ADDRESS:
		*ret_address = source->usesrc_address;
		return ret_address->any.sa_family == request->destination->any.sa_family;
	}
	return false;
}

static void range_set(struct source_walk *walk, unsigned first, unsigned last)
{
	walk->has_range = true;
	walk->first = first;
	walk->size = last > first ? last - first + 1 : 1;
}

/* Where to bind to, and which ports may be taken. */
static int base_set(struct source_walk *walk)
{
	const struct connect_request *request = walk->request;
	const struct config_source_address *source = request->source;
	range_set(walk, system_ports.first, system_ports.last);
	walk->has_range = false;
	if (source == NULL || !source->is_set)
		return 0;
	if (foreign_address(request, &walk->base)) {
		walk->is_transparent = true;
		unsigned port = address_port(&walk->base);
		if (port != 0)
			range_set(walk, port, port);
		return 0;
	}
	if (source->port_first != 0)
		range_set(walk, source->port_first, source->port_last);
	if (source->address.len == 0 || is_any(&source->address))
		return 0;
	if (source->address.any.sa_family != request->destination->any.sa_family)
		return -EAFNOSUPPORT;
	walk->base = source->address;
	return 0;
}

int source_walk_init(struct source_walk *walk, const struct connect_request *request)
{
	static uint32_t calls;
	*walk = (struct source_walk){.request = request};
	int error = base_set(walk);
	if (error)
		return error;
	uint64_t salt = (uint64_t)__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) << 40;
	uint64_t now_us = clock_monotonic_us();
	walk->start = (unsigned)(hash_mix(now_us ^ salt) % walk->size);
	walk->tries_max = walk->size < SOURCE_PORTS_TRIED_MAX ? walk->size : SOURCE_PORTS_TRIED_MAX;
	/* Out of the system's ports the kernel would not keep to the range. */
	walk->has_kernel_turn = !walk->has_range ||
		(walk->first >= system_ports.first && walk->first + walk->size - 1 <= system_ports.last);
	walk->is_kernel_turn = walk->has_kernel_turn && now_us >= kernel_rests_until_us;
	return 0;
}

/* A port counts as taken only together with the server's address. */
static int kernel_bind(const struct source_walk *walk, int fd)
{
	if (walk->has_range) {
		uint32_t range = walk->first | (walk->first + walk->size - 1) << 16;
		/* A kernel without it has no turn. */
		if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) != 0)
			return -EADDRNOTAVAIL;
	}
	if (walk->base.len == 0)
		return 0;
	struct address address = walk->base;
	address_set_port(&address, 0);
	(void)flag_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	return bind(fd, &address.any, address.len) == 0 ? 0 : -errno;
}

static int port_bind(struct source_walk *walk, int fd)
{
	struct address address = walk->base;
	if (address.len == 0) {
		address.any.sa_family = walk->request->destination->any.sa_family;
		address.len = walk->request->destination->len;
	}
	while (walk->tried < walk->tries_max) {
		unsigned step = (walk->start + walk->tried++) % walk->size;
		address_set_port(&address, (uint16_t)(walk->first + step));
		if (bind(fd, &address.any, address.len) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRNOTAVAIL;
}

static int options_set(const struct source_walk *walk, int fd)
{
	const struct config_source_address *source = walk->request->source;
	if (source != NULL && source->interface != NULL) {
		const char *name = source->interface;
		if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) != 0)
			return -errno;
	}
	/* All sockets that share a port must have said so, also those in TIME_WAIT. */
	int error = flag_set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (error != 0 || !walk->is_transparent)
		return error;
	bool is_v4 = walk->base.any.sa_family == AF_INET;
	return is_v4 ? flag_set(fd, IPPROTO_IP, IP_TRANSPARENT)
		     : flag_set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

int source_walk_bind(struct source_walk *walk, int fd)
{
	int error = options_set(walk, fd);
	if (error == 0 && walk->is_kernel_turn) {
		error = kernel_bind(walk, fd);
		/* Then the address is not ours, unless it is the range that could not be set. */
		walk->is_over = error != 0 && !walk->has_range;
		return error;
	}
	if (error == 0)
		error = port_bind(walk, fd);
	walk->is_over = error != 0 && walk->tried < walk->tries_max;
	return error;
}

int source_walk_check(const struct source_walk *walk, int fd)
{
	if (!walk->is_kernel_turn || !walk->has_range)
		return 0;
	struct address local = {.len = sizeof(local.v6)};
	if (getsockname(fd, &local.any, &local.len) != 0)
		return -errno;
	unsigned port = address_port(&local);
	return port >= walk->first && port - walk->first < walk->size ? 0 : -EADDRNOTAVAIL;
}

bool source_walk_next(struct source_walk *walk)
{
	if (walk->is_over)
		return false;
	if (walk->is_kernel_turn) {
		walk->is_kernel_turn = walk->has_kernel_turn = false;
		kernel_rests_until_us = clock_monotonic_us() + KERNEL_REST_US;
	}
	if (walk->tried < walk->tries_max)
		return true;
	walk->is_kernel_turn = walk->has_kernel_turn;
	return walk->is_kernel_turn;
}
