/* A bind line at run time: its listening sockets (one per worker in one
 * SO_REUSEPORT group, or `shards` shared ones) and what they count. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "metrics/counters.h"
#include "net/frontend.h"

struct listener {
	struct frontend *frontend;
	const struct config_bind *config;
	char name[64]; /* given, or "sock-N" as HAProxy names them */
	char address_text[ADDRESS_TEXT_MAX];
	struct endpoint local;
	bool is_inherited; /* by its number, from whoever started us */
	int *sockets; /* [workers]; worker w has sockets[w % sockets_count], shared without dup; -1: closed */
	uint32_t window_scale_max; /* atomic; announced to clients, as far as it was lowered */
	unsigned sockets_count; /* distinct; unix, abstract and inherited ones: 1 */
	uint32_t conn_cur; /* gauge, atomic */
	uint32_t maxconn;
	struct traffic_counters *counters; /* [workers] */
	struct listener *next;
	uint64_t path_device, path_inode; /* private: our unix socket's file, 0: none */
};

/* Binds and listens every bind of the frontend, options set so that accepted
 * sockets inherit them (TCP_NODELAY, keep-alive, user timeout, buffers).
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
/* Closes the sockets; unix paths are unlinked.  The objects live on with the frontend. */
void listener_close_all(struct frontend *frontend);
