/* How a server is chosen: one row per algorithm.  Called under the backend's lock. */
#pragma once

#include "backend/backend.h"

struct balancer {
	enum config_balance kind;
	const char *name; /* as written in the configuration */
	/* Picks among servers for which is_candidate[index] is true (usable, right tier,
	 * has a free slot; at least one is).  Never NULL. */
	struct server *(*choose)(
		struct backend *backend, const struct choose_request *request, const bool *is_candidate);
	/* A weight, state or limit changed; may be NULL. */
	void (*on_change)(struct backend *backend);
};

/* Terminated by a row without name. */
extern const struct balancer balancers[];
const struct balancer *balancer_find(enum config_balance kind);
