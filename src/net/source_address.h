/* From which address and port a server is connected to.  A walk is one connection's search for
 * a port, over as many sockets as it takes.  Threads share what is learned at start. */
#pragma once

#include "net/connector.h"

enum { SOURCE_PORTS_TRIED_MAX = 512 }; /* by hand, for one connection */

struct source_walk {
	const struct connect_request *request;
	struct address base; /* to bind to; len 0: any */
	bool is_transparent; /* base is not this host's */
	bool has_range; /* only ports of first.. may be used; else these are the system's */
	unsigned first, size;
	unsigned start, tried, tries_max; /* by hand, each once */
	bool has_kernel_turn, is_kernel_turn; /* the kernel chooses: still to come, and now */
	bool is_over; /* a failure that no other port would mend */
};

/* Reads the system's port range.  Once, before threads and before a chroot; without it
 * the kernel's default is taken. */
void source_ports_learn(void);
/* Whether the source's usesrc is allowed to this thread: 0, -EPERM or another -errno. */
int source_usesrc_check(const struct config_source_address *source) MUST_USE;

/* The request outlives the walk and goes to an IP address.  Returns 0 or -EAFNOSUPPORT. */
int source_walk_init(struct source_walk *walk, const struct connect_request *request) MUST_USE;
/* Before connect(): interface, address and, by hand, the next port that is free.
 * Returns 0 or -errno; -EADDRNOTAVAIL also when no port is left. */
int source_walk_bind(struct source_walk *walk, int fd) MUST_USE;
/* After connect(): 0, or -EADDRNOTAVAIL when the kernel has chosen a port out of the range. */
int source_walk_check(const struct source_walk *walk, int fd) MUST_USE;
/* After -EADDRNOTAVAIL: whether another socket is worth a try. */
bool source_walk_next(struct source_walk *walk) MUST_USE;
