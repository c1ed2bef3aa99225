/* How a server is chosen: one row per algorithm.  Everything is called under the
 * backend's lock.
 *
 * Algorithms are of two kinds.  Those that pick have candidates, which the backend
 * adds and takes away: a member that is found full is benched until it has given a
 * slot back.  Those that look up have a table of all members and find a server for
 * a key or a turn in it, full or not. */
#pragma once

#include "backend/backend.h"

struct balancer {
	enum config_balance kind;
	const char *name; /* as written in the configuration */
	/* Makes private->balance.  Returns 0 or -errno; destroy cleans up after either. */
	int (*create)(struct backend *backend) MUST_USE;
	void (*destroy)(struct backend *backend);

	/* Picking; NULL for who looks up. */
	void (*add)(struct backend *backend, struct server *server);
	void (*remove)(struct backend *backend, struct server *server);
	/* The load or share of a candidate has changed; may be NULL. */
	void (*update)(struct backend *backend, struct server *server);
	/* The best candidate, or NULL without any.  Must give way to another answer once
	 * that one is removed. */
	struct server *(*pick)(struct backend *backend);
	/* The picked one gets the session; may be NULL. */
	void (*take)(struct backend *backend, struct server *server);

	/* Looking up; NULL for who picks.  Returns an open server; or NULL, with
	 * *ret_wanted set to the one to wait for when it must be that one. */
	struct server *(*look_up)(
		struct backend *backend, const struct choice *choice, struct server **ret_wanted);
	/* Members or their shares have changed. */
	void (*on_members)(struct backend *backend);
	/* Whether a connection belongs to a server by its key. */
	bool is_keyed;
};

/* Terminated by a row without name. */
extern const struct balancer balancers[];
const struct balancer *balancer_find(enum config_balance kind);
/* Weights can only be switched on and off while running: the tables are static. */
bool balancer_is_static(const struct config_proxy *config);
