/* One server of a backend: weight, state, slots and counters.  Shared by all
 * workers: fields marked (lock) are under the backend's lock, gauges are atomics. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "config/config.h"
#include "metrics/counters.h"
#include "metrics/rate_meter.h"

enum {
	SERVER_WEIGHT_MAX = 256,
	SERVER_WEIGHT_SCALE = 16, /* a share of so many stands for a weight of 1 */
};

/* Administrative and health state; a server takes new sessions when usable.  In
 * order of what overrides what. */
enum server_admin { SERVER_READY, SERVER_DRAIN, SERVER_MAINT };

/* Its own state, or that of the server it tracks. */
struct server_status {
	enum server_admin admin;
	bool is_up;
	bool is_stopping; /* up, but a check says that no new sessions are wanted */
};

struct check;

struct server {
	const struct config_server *config;
	struct backend *backend;
	unsigned index; /* in the backend, from 0 */
	const char *congestion; /* of connections to it; NULL: the system's */
	struct address address; /* (lock) where it is now, see server_address() */
	bool is_unresolved; /* (lock) its name has no address: in maintenance */
	enum server_admin admin; /* (lock) in force: own's or tracked's */
	bool is_up; /* (lock) in force; health, true without checks */
	bool is_stopping; /* (lock) in force; only while up */
	bool was_checked; /* (lock) health was told at least once */
	uint32_t weight; /* (lock) as set, 0..256 */
	uint32_t share; /* (lock) what balancing counts: the weight scaled, less in a slow start */
	uint32_t maxconn; /* as set; see server_limit() */
	uint32_t conn_cur, conn_max; /* sessions holding a slot, gauge */
	uint32_t queue_cur, queue_max; /* waiting for this server in particular */
	struct traffic_counters *counters; /* [workers] */
	struct rate_meter rate;
	uint32_t rate_max;
	uint64_t state_changed_wall_us, last_session_wall_us;
	struct check *check; /* the control thread's; NULL: is not checked */
	uint32_t errors_in_row; /* atomic: failed connects that are observed */
	uint64_t down_count; /* times it went from up to down */
	uint64_t down_us; /* time it was down or in maintenance, ended stretches only */

	/* Private to the folder. */
	struct server_status own, tracked; /* (lock) */
	const struct server *followed; /* that it tracks; NULL: none.  As made at start, readable by all */
	struct server *trackers, *tracker_next; /* who tracks it; as made at start */
	uint64_t slowstart_ms; /* (lock) when its slow start began; 0: none */
	bool is_member; /* (lock) usable and of the tier in force: primaries or backups */
	bool is_benched; /* (lock) a member that was found full */
	bool is_touched; /* in the backend's list of servers to look at again */
	struct server *touched_next, *grant_next;
	struct list waiters; /* (lock) for this server, longest first */
};
