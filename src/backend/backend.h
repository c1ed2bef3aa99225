/* A named group of servers: choosing one, holding its slot, waiting for a slot.
 * Choosing takes the backend's lock (once per connection, never per byte). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/server.h"
#include "base/list.h"
#include "config/config.h"
#include "loop/loop.h"
#include "metrics/counters.h"

struct balancer;

/* A server has gone away (down or maintenance), or is back. */
enum server_event { SERVER_WENT_AWAY, SERVER_CAME_BACK };

/* Kept here: the servers' conn_cur and the queues' gauges.  Kept by the sessions:
 * conn_cur, the rates and the counters, also the servers'. */
struct backend {
	const struct config_proxy *config;
	struct server *servers; /* [servers_count], config order */
	unsigned servers_count;
	unsigned workers;
	struct traffic_counters *counters; /* [workers] */
	uint32_t conn_cur, conn_max; /* sessions in this backend, gauge */
	uint32_t queue_cur, queue_max; /* sessions that wait for any server, gauge */
	struct rate_meter rate;
	uint32_t rate_max;
	const struct balancer *balancer; /* private */
	struct backend *next;
	/* Set before use; NULL: nobody wants to know.  Runs on the thread that changed the
	 * state, without the lock; the state may have changed again meanwhile. */
	void (*on_server_event)(struct server *server, enum server_event event, void *context);
	void *event_context;
	/* Set before use; NULL: nobody.  Any thread: as many connects have failed in a row as
	 * the server's error-limit. */
	void (*on_server_errors)(struct server *server);
};

int backend_create(
	const struct config_proxy *config, unsigned workers, struct backend **ret_backend) MUST_USE;
/* Nobody may wait in the queue any more.  NULL is allowed. */
void backend_destroy(struct backend *backend);
/* Joins servers to those they track, in the list that begins here, which is complete;
 * once, before anything is changed.  A tracking server takes the other's state over. */
void backends_link_tracking(struct backend *first);

/* What is known of a connection.  local is only asked for when
 * backend_wants_local() says so. */
struct choose_request {
	const struct endpoint *client; /* for source and hash; NULL: has none */
	const struct endpoint *local; /* where the client has connected to */
	const void *key; /* of balance hash, instead of what its expression says; NULL: none */
	size_t key_len;
	const struct server *avoid; /* failed just now: another one if there is any; NULL */
	struct server *stick; /* a retry: this server or none; NULL: balance */
};

/* A request as the balancers see it; private to the folder. */
struct choice {
	uint64_t ticket; /* order of arrival in the queues; CHOICE_NEW: not in any */
	uint32_t hash;
	const struct server *avoid;
	struct server *stick;
};

/* A session's place in a queue, zeroed before first use.  on_grant runs on the
 * waiter's own loop; the waiter may be reused or freed from then on. */
struct queue_waiter {
	struct list node;
	struct loop_message message;
	struct loop *loop;
	struct backend *backend;
	struct server *server; /* granted, the slot is held; before: waited for, or NULL */
	void (*on_grant)(struct queue_waiter *waiter);
	uint64_t queued_ms; /* loop_now_ms at entry, for reports */
	struct choice choice; /* private */
	uint8_t state; /* private */
};

enum choose_answer {
	CHOSEN, /* *ret_server holds a slot for the caller */
	CHOOSE_FULL, /* usable servers exist, but who could serve this is at its limit: may queue */
	CHOOSE_NONE, /* no usable server */
};

/* Who waits goes first.  Primaries are asked first; when none of them is usable the
 * first usable backup, or with allbackups all of them. */
enum choose_answer backend_choose(
	struct backend *backend, const struct choose_request *request, struct server **ret_server);
/* Whether requests should have `local`. */
bool backend_wants_local(const struct backend *backend);
/* Enters a queue after CHOOSE_FULL, with the same request: that of one server when
 * the request belongs to it by its key or as a retry, else the backend's, whose slots
 * come from any server.  Within and between queues who came first is served first.
 * Returns false when maxqueue forbids it: of every server that could be waited for;
 * of the backend's when all usable servers have one and as many wait as they sum to.
 * Grants at once by message when a slot came free meanwhile.  Who waits for a server
 * that goes away waits on in the backend's. */
bool backend_queue(struct backend *backend, const struct choose_request *request, struct queue_waiter *waiter,
	struct loop *loop, void (*on_grant)(struct queue_waiter *));
/* Leaves the queue.  Returns true when it had left; false when a grant is on its
 * way: on_grant will still run and must give the slot back (backend_release). */
bool backend_unqueue(struct queue_waiter *waiter) MUST_USE;
/* Gives a slot back; hands it to the first waiter that can use it.  Any thread. */
void backend_release(struct server *server);

/* Slow starts go on with the time, and with them limits that somebody may wait for:
 * to be called every so often, at least this often; 0: no server has one.  Any thread. */
void backend_tick(struct backend *backend);
uint32_t backend_tick_ms(const struct backend *backend);

/* A server takes new sessions: ready, up, weight > 0 (weight 0 serves none). */
bool server_is_usable(const struct server *server);
/* "UP", "DOWN", "MAINT", "DRAIN", "NOLB" (stopping), "no check" (up, never checked). */
const char *server_state_name(const struct server *server);
/* The weight in force, rounded up: less than what was set during a slow start. */
uint32_t server_weight_now(const struct server *server);
/* How far a slow start has come, in percent; 100: none is under way. */
unsigned server_throttle_percent(const struct server *server);
/* Sessions it may have now: maxconn, less by minconn and in a slow start; 0: no limit. */
uint32_t server_limit(const struct server *server);
bool backend_has_usable(const struct backend *backend);
unsigned backend_usable_count(const struct backend *backend, bool backups);

/* Where it is now.  Any thread; takes the lock only when the address can change. */
void server_address(const struct server *server, struct address *ret_address);
/* Its name has no address; the server is then in maintenance, whatever it was set to. */
bool server_is_unresolved(const struct server *server);
/* For new sessions; NULL: it has none any more.  Any thread. */
void server_set_address(struct server *server, const struct address *address);

/* Run-time changes; any thread.  New capacity wakes waiters.  Sessions that a server
 * has stay; weight is cut to SERVER_WEIGHT_MAX; maxconn 0: no limit.  Servers that
 * track this one follow. */
void server_set_weight(struct server *server, uint32_t weight);
void server_set_maxconn(struct server *server, uint32_t maxconn);
void server_set_admin(struct server *server, enum server_admin admin);
void server_set_up(struct server *server, bool is_up);
/* Up, but takes no new sessions until it is set up again. */
void server_set_stopping(struct server *server);
/* A session could connect to it, or could not.  Any thread; cheap. */
void server_observe(struct server *server, bool is_connected);

void backend_counters(const struct backend *backend, struct traffic_counters *ret_total);
void server_counters(const struct server *server, struct traffic_counters *ret_total);
struct server *backend_server_find(struct backend *backend, const char *name);
