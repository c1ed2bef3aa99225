/* Reads what the columns of `show stat` show from frontends, backends, servers
 * and listeners. */
#include "admin/stat_getters.h"

#include <stdio.h>

#include "admin/stat_table.h"
#include "backend/balancer.h"
#include "base/clock.h"
#include "check/check.h"

STAT_GETTER(proxy_name)
{
	(void)now_ms;
	stat_set_string(value, object->proxy->name);
}

STAT_GETTER(object_name)
{
	(void)now_ms;
	stat_set_string(value, object->name);
}

STAT_GETTER(queue_now)
{
	(void)now_ms;
	const uint32_t *gauge =
		object->kind == STAT_SERVER ? &object->server->queue_cur : &object->backend->queue_cur;
	stat_set_number(value, STAT_U32, stat_gauge(gauge));
}

STAT_GETTER(queue_max)
{
	(void)now_ms;
	const uint32_t *gauge =
		object->kind == STAT_SERVER ? &object->server->queue_max : &object->backend->queue_max;
	stat_set_number(value, STAT_U32, stat_gauge(gauge));
}

STAT_GETTER(sessions_now)
{
	const uint32_t *gauge = NULL;
	(void)now_ms;
	switch (object->kind) {
	case STAT_FRONTEND:
		gauge = &object->frontend->conn_cur;
		break;
	case STAT_BACKEND:
		gauge = &object->backend->conn_cur;
		break;
	case STAT_SERVER:
		gauge = &object->server->conn_cur;
		break;
	case STAT_LISTENER:
		gauge = &object->listener->conn_cur;
		break;
	}
	stat_set_number(value, STAT_U32, stat_gauge(gauge));
}

STAT_GETTER(sessions_max)
{
	(void)now_ms;
	switch (object->kind) {
	case STAT_FRONTEND:
		stat_set_number(value, STAT_U32, stat_gauge(&object->frontend->conn_max));
		return;
	case STAT_BACKEND:
		stat_set_number(value, STAT_U32, stat_gauge(&object->backend->conn_max));
		return;
	case STAT_SERVER:
		stat_set_number(value, STAT_U32, stat_gauge(&object->server->conn_max));
		return;
	case STAT_LISTENER:
		return;
	}
}

/* A server without limit has none to show, nor a backend without fullconn. */
STAT_GETTER(sessions_limit)
{
	uint32_t limit = 0;
	(void)now_ms;
	switch (object->kind) {
	case STAT_FRONTEND:
		limit = stat_gauge(&object->frontend->maxconn);
		break;
	case STAT_BACKEND:
		limit = object->proxy->fullconn;
		if (limit == 0)
			return;
		break;
	case STAT_SERVER:
		limit = stat_gauge(&object->server->maxconn);
		if (limit == 0)
			return;
		break;
	case STAT_LISTENER:
		limit = stat_gauge(&object->listener->maxconn);
		break;
	}
	stat_set_number(value, STAT_U32, limit);
}

STAT_GETTER(status)
{
	(void)now_ms;
	if (object->kind != STAT_SERVER) {
		stat_set_string(value, stat_object_status(object));
		return;
	}
	value->type = STAT_STRING;
	check_state_print(object->server, value->string, sizeof(value->string));
}

static uint32_t server_weight(const struct server *server)
{
	return stat_gauge(&server->weight);
}

/* Of the servers that carry traffic: the usable active ones, without any the backups. */
static uint32_t backend_weight(const struct backend *backend, bool only_usable)
{
	uint32_t sums[2] = {0, 0};
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		if (!only_usable || server_is_usable(server))
			sums[server->config->is_backup] += server_weight(server);
	}
	return sums[0] > 0 ? sums[0] : sums[1];
}

STAT_GETTER(weight)
{
	(void)now_ms;
	uint32_t weight = object->kind == STAT_SERVER ? server_weight_now(object->server)
						      : backend_weight(object->backend, true);
	stat_set_number(value, STAT_U32, weight);
}

STAT_GETTER(throttle)
{
	(void)now_ms;
	unsigned percent = server_throttle_percent(object->server);
	if (percent < 100)
		stat_set_number(value, STAT_U32, percent);
}

STAT_GETTER(tracked)
{
	(void)now_ms;
	if (object->server->config->track)
		stat_set_string(value, object->server->config->track);
}

STAT_GETTER(user_weight)
{
	(void)now_ms;
	uint32_t weight = object->kind == STAT_SERVER ? server_weight(object->server)
						      : backend_weight(object->backend, true);
	stat_set_number(value, STAT_U32, weight);
}

STAT_GETTER(active)
{
	(void)now_ms;
	unsigned count = object->kind == STAT_SERVER ? !object->server->config->is_backup
						     : backend_usable_count(object->backend, false);
	stat_set_number(value, STAT_U32, count);
}

STAT_GETTER(backup)
{
	(void)now_ms;
	unsigned count = object->kind == STAT_SERVER ? object->server->config->is_backup
						     : backend_usable_count(object->backend, true);
	stat_set_number(value, STAT_U32, count);
}

/* Servers that are never checked do not go down. */
static bool goes_down(const struct server *server)
{
	while (server->followed)
		server = server->followed;
	return server->check != NULL;
}

STAT_GETTER(down_count)
{
	(void)now_ms;
	if (object->kind == STAT_BACKEND)
		stat_set_number(value, STAT_U64, object->down_count);
	else if (goes_down(object->server))
		stat_set_number(value, STAT_U64, stat_wall_read(&object->server->down_count));
}

static uint64_t seconds_since(uint64_t wall_us)
{
	uint64_t now_us = clock_wall_us();
	return now_us > wall_us ? (now_us - wall_us) / 1000000 : 0;
}

STAT_GETTER(last_change)
{
	(void)now_ms;
	uint64_t changed = object->kind == STAT_SERVER
		? stat_wall_read(&object->server->state_changed_wall_us)
		: object->changed_wall_us;
	stat_set_number(value, STAT_U32, seconds_since(changed));
}

static uint64_t server_down_us(const struct server *server)
{
	uint64_t ended_us = stat_wall_read(&server->down_us);
	bool is_away = !__atomic_load_n(&server->is_up, __ATOMIC_RELAXED) ||
		__atomic_load_n(&server->admin, __ATOMIC_RELAXED) == SERVER_MAINT;
	return ended_us +
		(is_away ? seconds_since(stat_wall_read(&server->state_changed_wall_us)) * 1000000 : 0);
}

STAT_GETTER(downtime)
{
	(void)now_ms;
	uint64_t down_us = object->down_us;
	if (object->kind != STAT_BACKEND) {
		if (goes_down(object->server))
			stat_set_number(value, STAT_U32, server_down_us(object->server) / 1000000);
		return;
	}
	if (!object->was_up)
		down_us += seconds_since(object->changed_wall_us) * 1000000;
	stat_set_number(value, STAT_U32, down_us / 1000000);
}

STAT_GETTER(queue_limit)
{
	(void)now_ms;
	if (object->server->config->maxqueue > 0)
		stat_set_number(value, STAT_U32, object->server->config->maxqueue);
}

STAT_GETTER(process)
{
	(void)object;
	(void)now_ms;
	stat_set_number(value, STAT_U32, 1);
}

STAT_GETTER(proxy_id)
{
	(void)now_ms;
	stat_set_number(value, STAT_U32, object->proxy->id);
}

STAT_GETTER(object_id)
{
	(void)now_ms;
	stat_set_number(value, STAT_U32, object->id);
}

STAT_GETTER(type)
{
	unsigned type = 0;
	(void)now_ms;
	switch (object->kind) {
	case STAT_FRONTEND:
		type = 0;
		break;
	case STAT_BACKEND:
		type = 1;
		break;
	case STAT_SERVER:
		type = 2;
		break;
	case STAT_LISTENER:
		type = 3;
		break;
	}
	stat_set_number(value, STAT_U32, type);
}

STAT_GETTER(rate)
{
	switch (object->kind) {
	case STAT_FRONTEND:
		stat_set_number(value, STAT_U32, rate_meter_read(&object->frontend->rate, now_ms));
		return;
	case STAT_BACKEND:
		stat_set_number(value, STAT_U32, rate_meter_read(&object->backend->rate, now_ms));
		return;
	case STAT_SERVER:
		stat_set_number(value, STAT_U32, rate_meter_read(&object->server->rate, now_ms));
		return;
	case STAT_LISTENER:
		return;
	}
}

STAT_GETTER(rate_limit)
{
	(void)now_ms;
	stat_set_number(value, STAT_U32, object->proxy->rate_limit_sessions);
}

STAT_GETTER(rate_max)
{
	(void)now_ms;
	switch (object->kind) {
	case STAT_FRONTEND:
		stat_set_number(value, STAT_U32, stat_gauge(&object->frontend->rate_max));
		return;
	case STAT_BACKEND:
		stat_set_number(value, STAT_U32, stat_gauge(&object->backend->rate_max));
		return;
	case STAT_SERVER:
		stat_set_number(value, STAT_U32, stat_gauge(&object->server->rate_max));
		return;
	case STAT_LISTENER:
		return;
	}
}

STAT_GETTER(last_session)
{
	uint64_t last_us = 0;
	(void)now_ms;
	if (object->kind == STAT_SERVER) {
		last_us = stat_wall_read(&object->server->last_session_wall_us);
	} else {
		for (unsigned i = 0; i < object->backend->servers_count; i++) {
			uint64_t server_us =
				stat_wall_read(&object->backend->servers[i].last_session_wall_us);
			last_us = server_us > last_us ? server_us : last_us;
		}
	}
	uint64_t age = last_us > 0 ? seconds_since(last_us) : (uint64_t)-1;
	stat_set_number(value, STAT_S32, age);
}

/* The mean of what was measured since the start or `clear counters all`. */
static void mean_get(const struct stat_object *object, size_t offset, struct stat_value *value)
{
	uint64_t samples = stat_object_counter(object, offsetof(struct traffic_counters, time_samples));
	uint64_t sum = stat_object_counter(object, offset);
	stat_set_number(value, STAT_U32, samples > 0 ? sum / samples : 0);
}

STAT_GETTER(queue_time)
{
	(void)now_ms;
	mean_get(object, offsetof(struct traffic_counters, queue_ms), value);
}

STAT_GETTER(connect_time)
{
	(void)now_ms;
	mean_get(object, offsetof(struct traffic_counters, connect_ms), value);
}

STAT_GETTER(total_time)
{
	(void)now_ms;
	mean_get(object, offsetof(struct traffic_counters, session_ms), value);
}

STAT_GETTER(address)
{
	char text[ADDRESS_TEXT_MAX];
	(void)now_ms;
	if (object->kind == STAT_LISTENER) {
		stat_set_string(value, object->listener->address_text);
		return;
	}
	const struct config_server *config = object->server->config;
	if (config->is_port_mapped && config->address_text) {
		stat_set_string(value, config->address_text);
		return;
	}
	struct address address;
	server_address(object->server, &address);
	address_print(&address, text, sizeof(text));
	stat_set_string(value, text);
}

STAT_GETTER(mode)
{
	(void)object;
	(void)now_ms;
	stat_set_string(value, "tcp");
}

STAT_GETTER(algorithm)
{
	(void)now_ms;
	for (const struct balancer *balancer = balancers; balancer->name; balancer++) {
		if (balancer->kind == object->proxy->balance)
			stat_set_string(value, balancer->name);
	}
}

static const char *frontend_status(const struct frontend *frontend)
{
	enum frontend_state state = __atomic_load_n(&frontend->state, __ATOMIC_RELAXED);
	uint32_t maxconn = stat_gauge(&frontend->maxconn);
	switch (state) {
	case FRONTEND_OPEN:
		return maxconn > 0 && stat_gauge(&frontend->conn_cur) >= maxconn ? "FULL" : "OPEN";
	case FRONTEND_PAUSED:
		return "PAUSED";
	case FRONTEND_STOPPED:
		return "STOP";
	}
	return "OPEN";
}

static const char *listener_status(const struct listener *listener)
{
	uint32_t maxconn = stat_gauge(&listener->maxconn);
	const char *status = frontend_status(listener->frontend);
	if (status[0] == 'O' && maxconn > 0 && stat_gauge(&listener->conn_cur) >= maxconn)
		return "FULL";
	return status;
}

const char *stat_object_status(const struct stat_object *object)
{
	switch (object->kind) {
	case STAT_FRONTEND:
		return frontend_status(object->frontend);
	case STAT_BACKEND:
		return backend_has_usable(object->backend) ? "UP" : "DOWN";
	case STAT_SERVER:
		return server_state_name(object->server);
	case STAT_LISTENER:
		return listener_status(object->listener);
	}
	return "";
}
