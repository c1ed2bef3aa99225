/* What the files of this folder tell only each other.  Functions named _locked, and
 * those of balancers and place tables, are called under the backend's lock. */
#pragma once

#include <pthread.h>

#include "backend/backend.h"
#include "backend/balancer.h"

#define CHOICE_NEW UINT64_MAX

struct backend_private {
	struct backend backend;
	pthread_mutex_t lock;
	struct list waiters; /* (lock) for any server, longest first */
	uint64_t tickets; /* (lock) given so far */
	uint32_t waiting; /* atomic: in all queues, the servers' too */
	uint32_t served; /* atomic: slots held of all servers */
	unsigned members; /* (lock) how many */
	uint64_t members_share; /* (lock) sum of their shares */
	unsigned *aside; /* (lock) [servers] set aside while one is chosen */
	void *balance; /* (lock) the balancer's own */
	struct server *touched; /* atomic: whose load or limit has changed, see slots.c */
	unsigned slowstarts; /* (lock) under way */
	uint64_t slowstart_next_ms; /* (lock) when shares are reckoned anew */
};

static inline struct backend_private *backend_private(struct backend *backend)
{
	return container_of(backend, struct backend_private, backend);
}

static inline void backend_lock(struct backend *backend)
{
	pthread_mutex_lock(&backend_private(backend)->lock);
}

static inline void backend_unlock(struct backend *backend)
{
	pthread_mutex_unlock(&backend_private(backend)->lock);
}

static inline uint32_t server_conn_cur(const struct server *server)
{
	return __atomic_load_n(&server->conn_cur, __ATOMIC_SEQ_CST);
}

/* True when a has fewer sessions for its share than b.  Both shares are above 0. */
static inline bool server_is_less_loaded(const struct server *a, const struct server *b)
{
	return (uint64_t)server_conn_cur(a) * b->share < (uint64_t)server_conn_cur(b) * a->share;
}

/* server.c */
void server_init(struct server *server, struct backend *backend, const struct config_server *config);
/* Those who track it take its state over, and those who track them; without locks held. */
void server_trackers_update(const struct server *server);

/* slots.c */
bool server_has_slot(const struct server *server);
/* False: its limit moves with the backend's load or the time, which touches nobody. */
bool server_has_fixed_limit(const struct server *server);
/* A slot is free that nobody waits for who came before. */
bool server_is_open(const struct server *server, const struct choice *choice);
bool server_has_queue_room(const struct server *server);
/* One session more would not put it above the hash-balance-factor. */
bool server_is_within_bound(const struct server *server);
void server_slot_take_locked(struct server *server);
/* Any thread: the server is looked at again before the next choice. */
void server_touch(struct server *server);
/* Those touched since the last time take their places among the candidates again.
 * Returns the ones that are waited for, linked by grant_next. */
struct server *backend_touched_take_locked(struct backend *backend);

/* members.c: after any change of usability, weight or slow start. */
void backend_members_update_locked(struct backend *backend);
static inline bool server_is_candidate(const struct server *server)
{
	return server->is_member && !server->is_benched;
}

/* slowstart.c */
void server_slowstart_begin_locked(struct server *server);
void server_slowstart_end_locked(struct server *server);
/* Reckons shares and limits anew when it is time to. */
void backend_slowstart_step_locked(struct backend *backend);
/* What a full value is now, at least 1. */
uint32_t server_slowstart_part(const struct server *server, uint32_t full);

/* choose.c: *ret_wanted is set with CHOOSE_FULL when the choice must wait for that
 * server, else left alone.  The choice is not CHOICE_NEW for who waits already. */
enum choose_answer backend_choose_locked(struct backend *backend, struct choice *choice,
	struct server **ret_server, struct server **ret_wanted) MUST_USE;
struct choice choice_make(const struct backend *backend, const struct choose_request *request);

/* queue.c */
/* Brings everything up to date: slow starts, touched servers; gives free slots to
 * those who wait, in order. */
void backend_settle_locked(struct backend *backend);
/* The server goes away: who waits for it waits for any from now on. */
void server_waiters_move_locked(struct server *server);
