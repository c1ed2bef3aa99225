/* Slots of servers: limits, taking, giving back.
 *
 * Slots are taken under the lock and given back without it.  Who gives one back
 * touches the server: puts it into a list, once, that whoever chooses next works off
 * before anything else.  So orders by load are right when they are used, and a server
 * that was benched because it was full is a candidate again. */
#include "backend/backend_internal.h"
#include "base/check.h"

static uint32_t gauge_read(const uint32_t *gauge)
{
	return __atomic_load_n(gauge, __ATOMIC_SEQ_CST);
}

/* With minconn the limit is on a ramp that ends where the backend has fullconn sessions. */
static uint32_t limit_by_load(const struct server *server, uint32_t maxconn)
{
	uint32_t minconn = server->config->minconn;
	uint32_t fullconn = server->backend->config->fullconn;
	uint32_t sessions = gauge_read(&server->backend->conn_cur);
	if (minconn == 0 || minconn >= maxconn || sessions >= fullconn)
		return maxconn;
	uint32_t limit = (uint32_t)((uint64_t)sessions * maxconn / fullconn);
	return limit > minconn ? limit : minconn;
}

uint32_t server_limit(const struct server *server)
{
	uint32_t maxconn = __atomic_load_n(&server->maxconn, __ATOMIC_RELAXED);
	if (maxconn == 0)
		return 0;
	return server_slowstart_part(server, limit_by_load(server, maxconn));
}

bool server_has_slot(const struct server *server)
{
	uint32_t limit = server_limit(server);
	return limit == 0 || server_conn_cur(server) < limit;
}

bool server_has_fixed_limit(const struct server *server)
{
	return server->config->minconn == 0 && __atomic_load_n(&server->slowstart_ms, __ATOMIC_RELAXED) == 0;
}

bool server_is_open(const struct server *server, const struct choice *choice)
{
	if (!server_has_slot(server))
		return false;
	if (list_is_empty(&server->waiters))
		return true;
	const struct queue_waiter *first = container_of(server->waiters.next, struct queue_waiter, node);
	return choice->ticket < first->choice.ticket;
}

bool server_has_queue_room(const struct server *server)
{
	return server->config->maxqueue == 0 || gauge_read(&server->queue_cur) < server->config->maxqueue;
}

/* All members' bounds together are not below the number of sessions with this one. */
bool server_is_within_bound(const struct server *server)
{
	const struct backend_private *private = backend_private(server->backend);
	uint64_t factor = server->backend->config->hash.balance_factor;
	uint64_t all = 100 * private->members_share;
	if (factor == 0 || all == 0)
		return true;
	uint64_t bound = ((gauge_read(&private->served) + 1) * factor * server->share + all - 1) / all;
	return server_conn_cur(server) < (bound ? bound : 1);
}

void server_slot_take_locked(struct server *server)
{
	struct backend *backend = server->backend;
	gauge_max(&server->conn_max, __atomic_add_fetch(&server->conn_cur, 1, __ATOMIC_SEQ_CST));
	__atomic_add_fetch(&backend_private(backend)->served, 1, __ATOMIC_SEQ_CST);
	if (backend->balancer->update && server_is_candidate(server))
		backend->balancer->update(backend, server);
}

void server_touch(struct server *server)
{
	struct backend_private *private = backend_private(server->backend);
	if (__atomic_exchange_n(&server->is_touched, true, __ATOMIC_SEQ_CST))
		return;
	struct server *first = __atomic_load_n(&private->touched, __ATOMIC_RELAXED);
	do {
		__atomic_store_n(&server->touched_next, first, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(
		&private->touched, &first, server, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

static void candidate_refresh(struct server *server)
{
	struct backend *backend = server->backend;
	if (!server->is_member || !backend->balancer->add)
		return;
	if (server->is_benched && server_has_slot(server)) {
		server->is_benched = false;
		backend->balancer->add(backend, server);
	} else if (!server->is_benched && backend->balancer->update)
		backend->balancer->update(backend, server);
}

/* The mark goes before the gauges are read: who changes them later touches anew. */
struct server *backend_touched_take_locked(struct backend *backend)
{
	struct backend_private *private = backend_private(backend);
	struct server *waited_for = NULL;
	struct server *server = __atomic_exchange_n(&private->touched, NULL, __ATOMIC_SEQ_CST);
	while (server) {
		struct server *next = __atomic_load_n(&server->touched_next, __ATOMIC_RELAXED);
		__atomic_store_n(&server->is_touched, false, __ATOMIC_SEQ_CST);
		candidate_refresh(server);
		if (!list_is_empty(&server->waiters)) {
			server->grant_next = waited_for;
			waited_for = server;
		}
		server = next;
	}
	return waited_for;
}

/* The lock is needed only when someone waits.  Who enters a queue raises `waiting`
 * before looking for a slot, here the slot is free before `waiting` is looked at: one
 * of the two sees the other. */
void backend_release(struct server *server)
{
	struct backend *backend = server->backend;
	struct backend_private *private = backend_private(backend);
	uint32_t before = __atomic_fetch_sub(&server->conn_cur, 1, __ATOMIC_SEQ_CST);
	CHECK(before > 0);
	__atomic_sub_fetch(&private->served, 1, __ATOMIC_SEQ_CST);
	server_touch(server);
	if (gauge_read(&private->waiting) == 0)
		return;
	backend_lock(backend);
	backend_settle_locked(backend);
	backend_unlock(backend);
}
