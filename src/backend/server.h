/* One server of a backend: weight, state, slots and counters.  Shared by all
 * workers: fields marked (lock) are under the backend's lock, gauges are atomics. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "config/config.h"
#include "metrics/counters.h"
#include "metrics/rate_meter.h"

enum { SERVER_WEIGHT_MAX = 256 };

/* Administrative and health state; a server takes new sessions when usable. */
enum server_admin { SERVER_READY, SERVER_DRAIN, SERVER_MAINT };

struct server {
	const struct config_server *config;
	struct backend *backend;
	unsigned index; /* in the backend, from 0 */
	const char *congestion; /* of connections to it; NULL: the system's */
	enum server_admin admin; /* (lock) */
	bool is_up; /* (lock) health; true without checks */
	bool was_checked; /* (lock) health was told at least once */
	uint32_t weight; /* (lock) in force, 0..256 */
	uint32_t maxconn; /* in force */
	uint32_t conn_cur, conn_max; /* sessions holding a slot, gauge */
	uint32_t queue_cur, queue_max; /* waiting for this server in particular (always 0 in this version) */
	int64_t current; /* (lock) smooth round-robin's state */
	struct traffic_counters *counters; /* [workers] */
	struct rate_meter rate;
	uint32_t rate_max;
	uint64_t state_changed_wall_us, last_session_wall_us;
	uint64_t down_count; /* times it went from up to down */
	uint64_t down_us; /* time it was down or in maintenance, ended stretches only */
};
