/* What the kernel's routing table says about a destination. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/status.h"

struct mnl_socket;

struct route {
	unsigned ifindex; /* of the way out */
	bool is_local; /* the destination is this host */
	struct endpoint next_hop; /* the gateway, of either family, or the destination itself */
};

/* A socket for questions; one thread at a time.  NULL with errno set. */
struct mnl_socket *route_open(void);
void route_close(struct mnl_socket *socket);

/* How packets from `from` to `to` leave.  Blocks only for the kernel's own work.
 * Returns 0, -ENETUNREACH and the like, or -EPROTO for an answer that is not understood. */
int route_find(struct mnl_socket *socket, const struct endpoint *to, const struct endpoint *from,
	struct route *ret_route) MUST_USE;

/* Whether the interface is one end of a veth pair whose other end is in another network
 * namespace.  Returns 1, 0 or -errno. */
int route_interface_is_veth_outward(struct mnl_socket *socket, unsigned ifindex) MUST_USE;

/* A socket that becomes readable when routes, rules or interfaces change.  NULL with errno set. */
struct mnl_socket *route_monitor_open(void);
int route_monitor_fd(const struct mnl_socket *monitor);
/* Forgets the changes that are known by now. */
void route_monitor_drain(struct mnl_socket *monitor);

/* The Ethernet interfaces of this network namespace that are not part of another (a bridge, a
 * bond), which sees their packets, too: at most max of their indexes.
 * Returns how many there are, or -errno. */
int route_interfaces(struct mnl_socket *socket, unsigned *ret_indexes, unsigned max) MUST_USE;
