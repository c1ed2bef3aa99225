/* A named group of servers: which of them may be chosen now, and their slots. */
#include "backend/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend_internal.h"
#include "base/check.h"
#include "base/clock.h"

static int storage_create(struct backend_private *private, unsigned workers)
{
	struct backend *backend = &private->backend;
	unsigned count = backend->servers_count ? backend->servers_count : 1;
	private->is_member = calloc(count, sizeof(bool));
	private->is_candidate = calloc(count, sizeof(bool));
	backend->servers = calloc(count, sizeof(*backend->servers));
	backend->counters = traffic_counters_create(workers);
	if (!private->is_member || !private->is_candidate || !backend->servers || !backend->counters)
		return -ENOMEM;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		backend->servers[i].counters = traffic_counters_create(workers);
		if (!backend->servers[i].counters)
			return -ENOMEM;
	}
	return 0;
}

int backend_create(const struct config_proxy *config, unsigned workers, struct backend **ret_backend)
{
	CHECK(workers > 0);
	struct backend_private *private = calloc(1, sizeof(*private));
	if (!private)
		return -ENOMEM;
	struct backend *backend = &private->backend;
	pthread_mutex_init(&private->lock, NULL);
	list_init(&private->waiters);
	private->draws = clock_monotonic_us();
	backend->config = config;
	backend->workers = workers;
	backend->balancer = balancer_find(config->balance);
	for (const struct config_server *server = config->servers; server; server = server->next)
		backend->servers_count++;
	if (storage_create(private, workers) != 0) {
		backend_destroy(backend);
		return -ENOMEM;
	}
	struct server *server = backend->servers;
	for (const struct config_server *from = config->servers; from; from = from->next)
		server_init(server++, backend, from);
	*ret_backend = backend;
	return 0;
}

void backend_destroy(struct backend *backend)
{
	if (!backend)
		return;
	struct backend_private *private = backend_private(backend);
	CHECK(list_is_empty(&private->waiters));
	for (unsigned i = 0; backend->servers && i < backend->servers_count; i++)
		free(backend->servers[i].counters);
	free(backend->servers);
	free(backend->counters);
	free(private->is_member);
	free(private->is_candidate);
	pthread_mutex_destroy(&private->lock);
	free(private);
}

/* Marks the usable servers of the tier in force; returns how many. */
static unsigned members_mark(const struct backend *backend, bool *is_member)
{
	bool is_backup_turn = backend_usable_count(backend, false) == 0;
	bool takes_one = is_backup_turn && !backend->config->has_allbackups;
	unsigned members = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		is_member[i] = server_is_usable(server) && server->config->is_backup == is_backup_turn &&
			!(takes_one && members > 0);
		members += is_member[i];
	}
	return members;
}

static bool has_slot(const struct server *server)
{
	uint32_t maxconn = __atomic_load_n(&server->maxconn, __ATOMIC_RELAXED);
	return maxconn == 0 || server_conn_cur(server) < maxconn;
}

/* Marks the members that can be chosen; returns how many.  The avoided one only
 * counts when it is alone. */
static unsigned candidates_mark(struct backend_private *private, const struct server *avoid)
{
	const struct backend *backend = &private->backend;
	unsigned candidates = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		private->is_candidate[i] = private->is_member[i] && has_slot(&backend->servers[i]);
		candidates += private->is_candidate[i];
	}
	bool can_avoid = avoid && avoid->backend == backend && private->is_candidate[avoid->index];
	if (can_avoid && candidates > 1) {
		private->is_candidate[avoid->index] = false;
		candidates--;
	}
	return candidates;
}

/* Slots are taken under the lock only, so that the limit looked at still holds. */
static void slot_take(struct server *server)
{
	uint32_t conn_cur = __atomic_add_fetch(&server->conn_cur, 1, __ATOMIC_SEQ_CST);
	gauge_max(&server->conn_max, conn_cur);
}

static enum choose_answer stick_choose(struct server *server, struct server **ret_server)
{
	if (!server_is_usable(server))
		return CHOOSE_NONE;
	if (!has_slot(server))
		return CHOOSE_FULL;
	slot_take(server);
	*ret_server = server;
	return CHOSEN;
}

enum choose_answer backend_choose_locked(
	struct backend *backend, const struct choose_request *request, struct server **ret_server)
{
	struct backend_private *private = backend_private(backend);
	if (request->stick)
		return stick_choose(request->stick, ret_server);
	if (members_mark(backend, private->is_member) == 0)
		return CHOOSE_NONE;
	if (candidates_mark(private, request->avoid) == 0)
		return CHOOSE_FULL;
	struct server *server = backend->balancer->choose(backend, request, private->is_candidate);
	CHECK(server && private->is_candidate[server->index]);
	slot_take(server);
	*ret_server = server;
	return CHOSEN;
}

enum choose_answer backend_choose(
	struct backend *backend, const struct choose_request *request, struct server **ret_server)
{
	CHECK(!request->stick || request->stick->backend == backend);
	backend_lock(backend);
	/* A slot that came free and is not handed on yet belongs to who waits already. */
	backend_grant_locked(backend);
	enum choose_answer answer = backend_choose_locked(backend, request, ret_server);
	backend_unlock(backend);
	return answer;
}

/* The lock is needed only when someone waits.  Who enters the queue raises queue_cur
 * before looking for a slot, here the slot is free before queue_cur is looked at:
 * one of the two sees the other. */
void backend_release(struct server *server)
{
	struct backend *backend = server->backend;
	uint32_t before = __atomic_fetch_sub(&server->conn_cur, 1, __ATOMIC_SEQ_CST);
	CHECK(before > 0);
	if (__atomic_load_n(&backend->queue_cur, __ATOMIC_SEQ_CST) == 0)
		return;
	backend_lock(backend);
	backend_grant_locked(backend);
	backend_unlock(backend);
}

bool backend_has_usable(const struct backend *backend)
{
	return backend_usable_count(backend, false) > 0 || backend_usable_count(backend, true) > 0;
}

unsigned backend_usable_count(const struct backend *backend, bool backups)
{
	unsigned count = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		count += server->config->is_backup == backups && server_is_usable(server);
	}
	return count;
}

void backend_counters(const struct backend *backend, struct traffic_counters *ret_total)
{
	memset(ret_total, 0, sizeof(*ret_total));
	for (unsigned i = 0; i < backend->workers; i++)
		traffic_counters_add(ret_total, &backend->counters[i]);
}

struct server *backend_server_find(struct backend *backend, const char *name)
{
	for (unsigned i = 0; i < backend->servers_count; i++)
		if (strcmp(backend->servers[i].config->name, name) == 0)
			return &backend->servers[i];
	return NULL;
}
