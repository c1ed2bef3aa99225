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

/* Kept here: the servers' conn_cur and the queue's gauges.  Kept by the sessions:
 * conn_cur, the rates and the counters, also the servers'. */
struct backend {
	const struct config_proxy *config;
	struct server *servers; /* [servers_count], config order */
	unsigned servers_count;
	unsigned workers;
	struct traffic_counters *counters; /* [workers] */
	uint32_t conn_cur, conn_max; /* sessions in this backend, gauge */
	uint32_t queue_cur, queue_max; /* waiting sessions, gauge */
	struct rate_meter rate;
	uint32_t rate_max;
	const struct balancer *balancer; /* private */
	struct backend *next;
};

int backend_create(
	const struct config_proxy *config, unsigned workers, struct backend **ret_backend) MUST_USE;
/* Nobody may wait in the queue any more.  NULL is allowed. */
void backend_destroy(struct backend *backend);

/* A session's place in the queue, zeroed before first use.  on_grant runs on the
 * waiter's own loop; the waiter may be reused or freed from then on. */
struct queue_waiter {
	struct list node;
	struct loop_message message;
	struct loop *loop;
	struct backend *backend;
	struct server *server; /* granted; the slot is held */
	void (*on_grant)(struct queue_waiter *waiter);
	uint64_t queued_ms; /* loop_now_ms at entry, for reports */
	uint8_t state; /* private */
};

struct choose_request {
	const struct endpoint *client; /* for balance source */
	const struct server *avoid; /* failed just now: another one if there is any; NULL */
	struct server *stick; /* a retry: this server or none; NULL: balance */
};

enum choose_answer {
	CHOSEN, /* *ret_server holds a slot for the caller */
	CHOOSE_FULL, /* usable servers exist, all at maxconn: may queue */
	CHOOSE_NONE, /* no usable server */
};

/* Who waits in the queue goes first.  Primaries are asked first; when none of them is usable the first usable backup, or
 * with allbackups all of them. */
enum choose_answer backend_choose(
	struct backend *backend, const struct choose_request *request, struct server **ret_server);
/* Enters the queue (FIFO).  Returns false when maxqueue forbids it: all usable
 * servers have one and as many wait as they sum to.  May grant at once by message
 * when a slot came free meanwhile.  Waiters stay when servers go away. */
bool backend_queue(struct backend *backend, struct queue_waiter *waiter, struct loop *loop,
	void (*on_grant)(struct queue_waiter *));
/* Leaves the queue.  Returns true when it had left; false when a grant is on its
 * way: on_grant will still run and must give the slot back (backend_release). */
bool backend_unqueue(struct queue_waiter *waiter) MUST_USE;
/* Gives a slot back; hands it to the first waiter that can use it.  Any thread. */
void backend_release(struct server *server);

/* A server takes new sessions: ready, up, weight > 0 (weight 0 serves none). */
bool server_is_usable(const struct server *server);
/* What show stat prints: "UP", "DOWN", "MAINT", "DRAIN", "no check" (up, never checked). */
const char *server_state_name(const struct server *server);
bool backend_has_usable(const struct backend *backend);
unsigned backend_usable_count(const struct backend *backend, bool backups);

/* Run-time changes; any thread.  New capacity wakes waiters.  Sessions that a server
 * has stay; weight is cut to SERVER_WEIGHT_MAX; maxconn 0: no limit. */
void server_set_weight(struct server *server, uint32_t weight);
void server_set_maxconn(struct server *server, uint32_t maxconn);
void server_set_admin(struct server *server, enum server_admin admin);
void server_set_up(struct server *server, bool is_up);

void backend_counters(const struct backend *backend, struct traffic_counters *ret_total);
void server_counters(const struct server *server, struct traffic_counters *ret_total);
struct server *backend_server_find(struct backend *backend, const char *name);
