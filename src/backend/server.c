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
	server->address = config->address;
	server->is_unresolved = config->naming.is_unresolved;
	server->own = (struct server_status){config->is_disabled ? SERVER_MAINT : SERVER_READY, true, false};
	server->admin = server->is_unresolved ? SERVER_MAINT : server->own.admin;
	server->is_up = true;
	server->tracked = (struct server_status){SERVER_READY, true, false};
	server->weight = config->weight < SERVER_WEIGHT_MAX ? config->weight : SERVER_WEIGHT_MAX;
	server->maxconn = config->maxconn;
	server->state_changed_wall_us = clock_wall_us();
	list_init(&server->waiters);
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

static bool is_stopping_read(const struct server *server)
{
	return __atomic_load_n(&server->is_stopping, __ATOMIC_RELAXED);
}

static bool was_checked_read(const struct server *server)
{
	return __atomic_load_n(&server->was_checked, __ATOMIC_RELAXED);
}

static uint32_t weight_read(const struct server *server)
{
	return __atomic_load_n(&server->weight, __ATOMIC_RELAXED);
}

bool server_is_usable(const struct server *server)
{
	return admin_read(server) == SERVER_READY && is_up_read(server) && !is_stopping_read(server) &&
		weight_read(server) > 0;
}

const char *server_state_name(const struct server *server)
{
	enum server_admin admin = admin_read(server);
	if (admin == SERVER_MAINT)
		return server_is_unresolved(server) ? "MAINT (resolution)" : "MAINT";
	if (!is_up_read(server))
		return "DOWN";
	if (admin == SERVER_DRAIN || weight_read(server) == 0)
		return "DRAIN";
	if (is_stopping_read(server))
		return "NOLB";
	return was_checked_read(server) ? "UP" : "no check";
}

uint32_t server_weight_now(const struct server *server)
{
	uint32_t share = __atomic_load_n(&server->share, __ATOMIC_RELAXED);
	return (share + SERVER_WEIGHT_SCALE - 1) / SERVER_WEIGHT_SCALE;
}

/* Tells the balancer and those who wait. */
static void changed_locked(struct server *server)
{
	backend_members_update_locked(server->backend);
	server_touch(server);
	backend_settle_locked(server->backend);
}

void server_set_weight(struct server *server, uint32_t weight)
{
	backend_lock(server->backend);
	__atomic_store_n(
		&server->weight, weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX, __ATOMIC_RELAXED);
	changed_locked(server);
	backend_unlock(server->backend);
}

void server_set_maxconn(struct server *server, uint32_t maxconn)
{
	backend_lock(server->backend);
	__atomic_store_n(&server->maxconn, maxconn, __ATOMIC_RELAXED);
	changed_locked(server);
	backend_unlock(server->backend);
}

static bool is_away(const struct server *server)
{
	return server->admin == SERVER_MAINT || !server->is_up;
}

static void times_count_locked(struct server *server, bool was_away, bool was_up)
{
	uint64_t now_us = clock_wall_us();
	/* The wall clock may have been set back meanwhile. */
	if (was_away && now_us > server->state_changed_wall_us)
		__atomic_store_n(&server->down_us, server->down_us + now_us - server->state_changed_wall_us,
			__ATOMIC_RELAXED);
	if (was_up && !server->is_up)
		__atomic_store_n(&server->down_count, server->down_count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&server->state_changed_wall_us, now_us, __ATOMIC_RELAXED);
}

enum change { CHANGE_NONE, CHANGE_WITHIN, CHANGE_AWAY, CHANGE_BACK };

/* The only place where admin, is_up and is_stopping change: to the worse of its own and what it
 * tracks. */
static enum change state_settle_locked(struct server *server)
{
	const struct server_status *own = &server->own, *tracked = &server->tracked;
	enum server_admin admin = own->admin > tracked->admin ? own->admin : tracked->admin;
	bool is_up = own->is_up && tracked->is_up;
	if (server->is_unresolved)
		admin = SERVER_MAINT;
	bool is_stopping = is_up && (own->is_stopping || tracked->is_stopping);
	bool was_away = is_away(server), was_up = server->is_up;
	if (server->admin == admin && server->is_up == is_up && server->is_stopping == is_stopping)
		return CHANGE_NONE;
	__atomic_store_n(&server->admin, admin, __ATOMIC_RELAXED);
	__atomic_store_n(&server->is_up, is_up, __ATOMIC_RELAXED);
	__atomic_store_n(&server->is_stopping, is_stopping, __ATOMIC_RELAXED);
	times_count_locked(server, was_away, was_up);
	if (is_away(server))
		server_slowstart_end_locked(server);
	else if (was_away)
		server_slowstart_begin_locked(server);
	changed_locked(server);
	if (is_away(server) == was_away)
		return CHANGE_WITHIN;
	return was_away ? CHANGE_BACK : CHANGE_AWAY;
}

/* After the lock is given back. */
static void change_tell(struct server *server, enum change change)
{
	const struct backend *backend = server->backend;
	if (change == CHANGE_NONE)
		return;
	if (change != CHANGE_WITHIN && backend->on_server_event)
		backend->on_server_event(server, change == CHANGE_AWAY ? SERVER_WENT_AWAY : SERVER_CAME_BACK,
			backend->event_context);
	server_trackers_update(server);
}

/* Reads the tracked one's state at the last moment, so that of two changes at a time
 * the later one stays.  Chains end, for the configuration has no circles. */
void server_trackers_update(const struct server *server)
{
	for (struct server *tracker = server->trackers; tracker; tracker = tracker->tracker_next) {
		backend_lock(tracker->backend);
		tracker->tracked = (struct server_status){
			admin_read(server), is_up_read(server), is_stopping_read(server)};
		if (was_checked_read(server))
			__atomic_store_n(&tracker->was_checked, true, __ATOMIC_RELAXED);
		enum change change = state_settle_locked(tracker);
		backend_unlock(tracker->backend);
		change_tell(tracker, change);
	}
}

void server_set_admin(struct server *server, enum server_admin admin)
{
	backend_lock(server->backend);
	server->own.admin = admin;
	enum change change = state_settle_locked(server);
	backend_unlock(server->backend);
	change_tell(server, change);
}

static void health_set(struct server *server, bool is_up, bool is_stopping)
{
	backend_lock(server->backend);
	bool is_first = !server->was_checked;
	__atomic_store_n(&server->was_checked, true, __ATOMIC_RELAXED);
	server->own.is_up = is_up;
	server->own.is_stopping = is_stopping;
	enum change change = state_settle_locked(server);
	backend_unlock(server->backend);
	change_tell(server, change);
	if (is_first && change == CHANGE_NONE)
		server_trackers_update(server);
}

void server_set_up(struct server *server, bool is_up)
{
	health_set(server, is_up, false);
}

void server_set_stopping(struct server *server)
{
	health_set(server, true, true);
}

void server_observe(struct server *server, bool is_connected)
{
	const struct config_check *config = &server->config->check;
	if (!config->is_observing)
		return;
	if (is_connected) {
		/* Read first: the line stays shared as long as all is well. */
		if (__atomic_load_n(&server->errors_in_row, __ATOMIC_RELAXED) != 0)
			__atomic_store_n(&server->errors_in_row, 0, __ATOMIC_RELAXED);
		return;
	}
	uint32_t errors = __atomic_add_fetch(&server->errors_in_row, 1, __ATOMIC_RELAXED);
	if (errors != config->errors_max)
		return;
	__atomic_store_n(&server->errors_in_row, 0, __ATOMIC_RELAXED);
	if (server->backend->on_server_errors)
		server->backend->on_server_errors(server);
}

void server_counters(const struct server *server, struct traffic_counters *ret_total)
{
	memset(ret_total, 0, sizeof(*ret_total));
	for (unsigned i = 0; i < server->backend->workers; i++)
		traffic_counters_add(ret_total, &server->counters[i]);
}

void server_address(const struct server *server, struct address *ret_address)
{
	if (server->config->naming.resolvers == NULL) {
		*ret_address = server->address;
		return;
	}
	backend_lock(server->backend);
	*ret_address = server->address;
	backend_unlock(server->backend);
}

bool server_is_unresolved(const struct server *server)
{
	return __atomic_load_n(&server->is_unresolved, __ATOMIC_RELAXED);
}

void server_set_address(struct server *server, const struct address *address)
{
	CHECK(server->config->naming.resolvers != NULL);
	backend_lock(server->backend);
	if (address)
		server->address = *address;
	__atomic_store_n(&server->is_unresolved, address == NULL, __ATOMIC_RELAXED);
	enum change change = state_settle_locked(server);
	backend_unlock(server->backend);
	change_tell(server, change);
}
