/* Opening the socket towards a server. */
#pragma once

#include "config/config.h"

/* has_tfo: the SYN may then wait for the first write (and 0 be returned at once),
 * so ask for it only with bytes for the server in hand. */
/* What another connection has agreed on, to agree on the same as far as that is ours to say. */
struct connect_mirror {
	unsigned segment_bytes; /* the largest segment */
	unsigned window_scale; /* that is announced at most */
};

struct connect_request {
	const struct connect_mirror *mirror; /* NULL: all as it comes */
	const struct address *destination;
	const struct config_source_address *source; /* NULL or !is_set: the kernel's choice */
	const struct endpoint *client; /* for the source's usesrc; NULL: as if there were none */
	const struct config_keepalive *keepalive;
	const char *congestion; /* NULL: the system's */
	unsigned user_timeout_ms, rcvbuf_bytes, sndbuf_bytes;
	bool has_smart_connect; /* option tcp-smart-connect */
	bool has_tfo;
};

/* Makes a non-blocking, CLOEXEC socket and begins to connect; TCP_NODELAY on,
 * urgent data stays in the stream (SO_OOBINLINE);
 * SO_REUSEADDR, so that a source port serves once for every server.  The kernel
 * chooses the port, within the source's range if that lies in the system's; where
 * it has none, ports are tried from a random one, each once and at most
 * SOURCE_PORTS_TRIED_MAX, which takes those over that rest in TIME_WAIT.  Returns
 * 0 (connected already) or -EINPROGRESS with *ret_fd the caller's, or another
 * -errno with no fd: EMFILE, ECONNREFUSED, EADDRNOTAVAIL (no port is free, or the
 * source is not of this host), EPERM (usesrc or interface not allowed), EAGAIN
 * (a full unix backlog), … */
int connector_open(const struct connect_request *request, int *ret_fd) MUST_USE;
/* After the first writable event: 0, or the connect's -errno. */
int connector_result(int fd) MUST_USE;
