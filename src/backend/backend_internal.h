/* What the files of this folder tell only each other.  Functions named _locked are
 * called under the backend's lock. */
#pragma once

#include <pthread.h>

#include "backend/backend.h"
#include "backend/balancer.h"

struct backend_private {
	struct backend backend;
	pthread_mutex_t lock;
	struct list waiters; /* (lock) longest first */
	bool *is_member; /* (lock) [servers] usable and of the tier in force: primaries or backups */
	bool *is_candidate; /* (lock) [servers] a member that has a slot and is not avoided */
	unsigned next_index; /* (lock) leastconn: where the search among equals begins */
	uint64_t draws; /* (lock) random: draws made, the generator's state */
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

/* True when a has fewer sessions for its weight than b.  Both weights are above 0. */
static inline bool server_is_less_loaded(const struct server *a, const struct server *b)
{
	return (uint64_t)server_conn_cur(a) * b->weight < (uint64_t)server_conn_cur(b) * a->weight;
}

void server_init(struct server *server, struct backend *backend, const struct config_server *config);

enum choose_answer backend_choose_locked(
	struct backend *backend, const struct choose_request *request, struct server **ret_server) MUST_USE;
/* Gives free slots to those who wait, in order. */
void backend_grant_locked(struct backend *backend);

struct server *balance_round_robin(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate);
void balance_round_robin_reset(struct backend *backend);
struct server *balance_least(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate);
struct server *balance_first(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate);
struct server *balance_source(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate);
struct server *balance_random(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate);
