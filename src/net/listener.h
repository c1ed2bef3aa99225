/* A bind line at run time: its listening sockets (one per worker in one
 * SO_REUSEPORT group, or `shards` shared ones) and what they count. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "metrics/counters.h"
#include "net/frontend.h"
#include "net/socket_set.h"

struct listener {
	struct frontend *frontend;
	const struct config_bind *config;
	char name[64]; /* given, or "sock-N" as HAProxy names them */
	char address_text[ADDRESS_TEXT_MAX];
	struct endpoint local;
	bool is_inherited; /* from whoever started us */
	/* Worker w has sockets[w], which it may share with others, without dup; where there are more
	 * than workers, because they were taken over, every workers-th from there on too; -1: closed */
	int *sockets;
	uint32_t window_scale_max; /* atomic; announced to clients, as far as it was lowered */
	unsigned sockets_count; /* distinct; unix, abstract and inherited ones: 1 */
	uint32_t conn_cur; /* gauge, atomic */
	uint32_t maxconn;
	struct traffic_counters *counters; /* [workers] */
	struct listener *next;
	uint64_t path_device, path_inode; /* private: the unix socket's file, 0: none */
	bool is_path_ours; /* private */
};

/* Binds and listens every bind of the frontend, options set so that accepted
 * sockets inherit them (TCP_NODELAY, keep-alive, user timeout, buffers).
 * Sockets of frontend->bound_before are taken first: all of those that are bound like a
 * bind line, also when there are more than workers, for what waits in their queues.
 * On failure nothing stays open and ret_reason says which address and why in
 * words ("cannot bind socket (Address already in use) for [127.0.0.1:80]").
 * UNIX: binds beside and renames over a dead socket file, as HAProxy does;
 * refuses a path that is not a socket. */
int listener_open_all(struct frontend *frontend, const struct config_global *global, char *ret_reason,
	size_t reason_size) MUST_USE;
/* Later clients are announced at most this window scale.  Any thread; only ever lowers. */
void listener_window_scale_lower(struct listener *listener, unsigned scale_max);
/* What every accepted TCP socket must have and inherits from a listener that was ours
 * from the start. */
void listener_connection_prepare(int fd);
/* How many of the sockets a worker has to watch. */
unsigned listener_rounds(const struct listener *listener, unsigned worker);
/* Adds duplicates of the sockets to the set.  Returns 0 or -errno. */
int listener_offer(const struct listener *listener, struct socket_set *set) MUST_USE;
/* Whether this process removes the file of a unix socket when it closes it.  It does, unless it has
 * taken the socket over, or another has. */
void listener_own_file(struct listener *listener, bool is_ours);
/* Closes the sockets; unix paths that we own are unlinked.  The objects live on with the frontend. */
void listener_close_all(struct frontend *frontend);
