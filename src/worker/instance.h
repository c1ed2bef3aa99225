/* Everything that a running configuration consists of.  Made, changed and ended
 * on the control thread, which is the main thread. */
#pragma once

#include <pthread.h>

#include "config/config.h"
#include "worker/worker.h"

struct accept_change;
struct resolver;
struct checks;
struct sockmap_table;
struct wire_hub;

enum instance_state { INSTANCE_RUNNING, INSTANCE_SOFT_STOPPING, INSTANCE_STOPPED };

struct instance {
	const struct config *config;
	struct socket_set *bound_before; /* while it is made; NULL: none */
	bool is_given_away; /* another process has its listening sockets too */
	struct frontend *frontends;
	struct backend *backends;
	struct session_routes routes;
	struct accept_limits limits;
	struct worker *workers;
	unsigned workers_count;
	struct loop *control_loop;
	struct log_sender *log_sender;
	struct log_ring *event_ring; /* process events, under event_lock */
	pthread_mutex_t event_lock;
	enum instance_state state;
	uint64_t started_wall_us, started_ms;
	/* In force, derived from the configuration and the machine. */
	const char *loop_name; /* back end of the workers' loops */
	uint64_t held_bytes_max; /* of all workers */
	uint32_t pipes_max; /* of all workers */
	unsigned long fd_limit;
	struct resolver *resolvers; /* NULL: none are configured */
	struct checks *checks;
	struct wire_hub *wire; /* NULL: none */
	unsigned wire_parked_max; /* of all workers */
	char wire_refusal[256]; /* why there is none, when the configuration asks for it */
	struct sockmap_table **sockmaps; /* one a worker; NULL: none */
	char sockmap_refusal[256]; /* why there are none, when the configuration asks for them */
	/* Soft stop has ended: no session is left.  On the control loop. */
	void (*on_stopped)(struct instance *instance);
	struct loop_timer stop_timer;
	struct loop_timer tick_timer; /* slow starts of servers */
	uint32_t tick_ms; /* 0: none is configured */
	struct accept_change *stop_change; /* made at start, so that a soft stop cannot fail */
};

/* What only the layers above the configuration can judge: the log formats.  Reports
 * by log_event; returns 0 or -EINVAL.  No side effects. */
int instance_config_check(const struct config *config) MUST_USE;

/* Builds frontends, backends and workers from the configuration and opens the
 * listening sockets, taking what fits from bound_before (NULL: nothing); starts nothing.  Mistakes are reported by log_event.
 * Returns 0 or -errno. */
int instance_create(const struct config *config, struct loop *control_loop, struct socket_set *bound_before,
	struct instance **ret_instance) MUST_USE;
/* Threads begin to accept. */
int instance_start(struct instance *instance) MUST_USE;
/* Stops accepting and closes the listening sockets; on_stopped follows when the
 * last session has ended.  Idempotent. */
void instance_soft_stop(struct instance *instance);
/* Ends every session, joins the threads. */
void instance_stop(struct instance *instance);
/* instance_stop() first when threads run.  NULL is allowed. */
void instance_destroy(struct instance *instance);

/* Adds duplicates of all listening sockets to the set.  Returns 0 or -errno. */
int instance_sockets_offer(const struct instance *instance, struct socket_set *set) MUST_USE;
/* Whether this process removes the files of its unix sockets in the end.  A process that has taken
 * sockets over begins to when it runs, and ceases to when it has sent them to another. */
void instance_own_files(struct instance *instance, bool are_ours);

struct frontend *instance_frontend_find(const struct instance *instance, const char *name);
struct backend *instance_backend_find(const struct instance *instance, const char *name);

/* Operator's enable, disable (PAUSED) and shutdown (STOPPED, for good) of a frontend.
 * Returns 0, or -ENOMEM with nothing changed, which is reported by log_event. */
int instance_frontend_set_state(
	struct instance *instance, struct frontend *frontend, enum frontend_state state) MUST_USE;
