/* One server: its state, what changes it at run time, and what it is called. */
#include "backend/server.h"

#include <string.h>

#include "backend/backend_internal.h"
#include "base/check.h"
#include "base/clock.h"

void server_init(struct server *server, struct backend *backend, const struct config_server *config)
{
	server->config = config;
	server->backend = backend;
	server->index = (unsigned)(server - backend->servers);
	server->admin = config->is_disabled ? SERVER_MAINT : SERVER_READY;
	server->is_up = true;
	server->weight = config->weight < SERVER_WEIGHT_MAX ? config->weight : SERVER_WEIGHT_MAX;
	server->maxconn = config->maxconn;
	server->state_changed_wall_us = clock_wall_us();
}

/* The fields are written under the lock; who only wants to know need not take it. */
static enum server_admin admin_read(const struct server *server)
{
	return __atomic_load_n(&server->admin, __ATOMIC_RELAXED);
}

static bool is_up_read(const struct server *server)
{
	return __atomic_load_n(&server->is_up, __ATOMIC_RELAXED);
}

static uint32_t weight_read(const struct server *server)
{
	return __atomic_load_n(&server->weight, __ATOMIC_RELAXED);
}

bool server_is_usable(const struct server *server)
{
	return admin_read(server) == SERVER_READY && is_up_read(server) && weight_read(server) > 0;
}

const char *server_state_name(const struct server *server)
{
	enum server_admin admin = admin_read(server);
	if (admin == SERVER_MAINT)
		return "MAINT";
	if (!is_up_read(server))
		return "DOWN";
	if (admin == SERVER_DRAIN || weight_read(server) == 0)
		return "DRAIN";
	return __atomic_load_n(&server->was_checked, __ATOMIC_RELAXED) ? "UP" : "no check";
}

/* Tells the balancer and those who wait. */
static void changed_locked(struct backend *backend)
{
	if (backend->balancer->on_change)
		backend->balancer->on_change(backend);
	backend_grant_locked(backend);
}

void server_set_weight(struct server *server, uint32_t weight)
{
	backend_lock(server->backend);
	__atomic_store_n(
		&server->weight, weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX, __ATOMIC_RELAXED);
	changed_locked(server->backend);
	backend_unlock(server->backend);
}

void server_set_maxconn(struct server *server, uint32_t maxconn)
{
	backend_lock(server->backend);
	__atomic_store_n(&server->maxconn, maxconn, __ATOMIC_RELAXED);
	changed_locked(server->backend);
	backend_unlock(server->backend);
}

static bool is_away(enum server_admin admin, bool is_up)
{
	return admin == SERVER_MAINT || !is_up;
}

/* The only place where admin and is_up change. */
static void state_set_locked(struct server *server, enum server_admin admin, bool is_up)
{
	if (server->admin == admin && server->is_up == is_up)
		return;
	uint64_t now_us = clock_wall_us();
	bool was_away = is_away(server->admin, server->is_up);
	/* The wall clock may have been set back meanwhile. */
	if (was_away && now_us > server->state_changed_wall_us)
		__atomic_store_n(&server->down_us, server->down_us + now_us - server->state_changed_wall_us,
			__ATOMIC_RELAXED);
	if (server->is_up && !is_up)
		__atomic_store_n(&server->down_count, server->down_count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&server->admin, admin, __ATOMIC_RELAXED);
	__atomic_store_n(&server->is_up, is_up, __ATOMIC_RELAXED);
	__atomic_store_n(&server->state_changed_wall_us, now_us, __ATOMIC_RELAXED);
	changed_locked(server->backend);
}

void server_set_admin(struct server *server, enum server_admin admin)
{
	backend_lock(server->backend);
	state_set_locked(server, admin, server->is_up);
	backend_unlock(server->backend);
}

void server_set_up(struct server *server, bool is_up)
{
	backend_lock(server->backend);
	__atomic_store_n(&server->was_checked, true, __ATOMIC_RELAXED);
	state_set_locked(server, server->admin, is_up);
	backend_unlock(server->backend);
}

void server_counters(const struct server *server, struct traffic_counters *ret_total)
{
	memset(ret_total, 0, sizeof(*ret_total));
	for (unsigned i = 0; i < server->backend->workers; i++)
		traffic_counters_add(ret_total, &server->counters[i]);
}
