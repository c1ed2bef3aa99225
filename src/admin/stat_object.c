/* Builds the list of statistics objects and reads their counters. */
#include "admin/stat_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

/* The fields that `clear counters` sets back. */
static const size_t maximum_offsets[] = {
	offsetof(struct traffic_counters, queue_ms_max),
	offsetof(struct traffic_counters, connect_ms_max),
	offsetof(struct traffic_counters, session_ms_max),
};

static size_t proxy_objects_max(const struct config_proxy *proxy)
{
	size_t count = 2 + proxy->servers_count;
	for (const struct config_bind *bind = proxy->binds; bind; bind = bind->next)
		count++;
	return count;
}

static struct stat_object *object_add(
	struct stat_objects *objects, enum stat_kind kind, const struct config_proxy *proxy, const char *name)
{
	struct stat_object *object = &objects->rows[objects->count++];
	object->kind = kind;
	object->proxy = proxy;
	object->name = name;
	return object;
}

static void frontend_add(struct stat_objects *objects, struct frontend *frontend)
{
	struct stat_object *object = object_add(objects, STAT_FRONTEND, frontend->config, "FRONTEND");
	object->frontend = frontend;
	object->counters = frontend->counters;
	object->workers = frontend->workers;
	if (!frontend->config->has_socket_stats)
		return;
	for (struct listener *listener = frontend->listeners; listener; listener = listener->next) {
		object = object_add(objects, STAT_LISTENER, frontend->config, listener->name);
		object->id = listener->config->id;
		object->frontend = frontend;
		object->listener = listener;
		object->counters = listener->counters;
		object->workers = frontend->workers;
	}
}

static void backend_add(struct stat_objects *objects, struct backend *backend)
{
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		struct stat_object *object =
			object_add(objects, STAT_SERVER, backend->config, server->config->name);
		object->id = server->config->id;
		object->backend = backend;
		object->server = server;
		object->counters = server->counters;
		object->workers = backend->workers;
	}
	struct stat_object *object = object_add(objects, STAT_BACKEND, backend->config, "BACKEND");
	object->backend = backend;
	object->counters = backend->counters;
	object->workers = backend->workers;
	object->was_up = backend_has_usable(backend);
	object->changed_wall_us = clock_wall_us();
}

int stat_objects_create(const struct instance *instance, struct stat_objects *ret_objects)
{
	struct stat_objects objects = {0};
	size_t rows_max = 1;
	for (const struct config_proxy *proxy = instance->config->proxies; proxy; proxy = proxy->next)
		rows_max += proxy_objects_max(proxy);
	objects.rows = aligned_alloc(_Alignof(struct stat_object), rows_max * sizeof(*objects.rows));
	if (!objects.rows)
		return -ENOMEM;
	memset(objects.rows, 0, rows_max * sizeof(*objects.rows));
	for (const struct config_proxy *proxy = instance->config->proxies; proxy; proxy = proxy->next) {
		for (struct frontend *frontend = instance->frontends; frontend; frontend = frontend->next) {
			if (frontend->config == proxy)
				frontend_add(&objects, frontend);
		}
		for (struct backend *backend = instance->backends; backend; backend = backend->next) {
			if (backend->config == proxy)
				backend_add(&objects, backend);
		}
	}
	CHECK(objects.count <= rows_max);
	*ret_objects = objects;
	return 0;
}

void stat_objects_release(struct stat_objects *objects)
{
	free(objects->rows);
	*objects = (struct stat_objects){0};
}

static counter *counter_at(struct traffic_counters *counters, size_t offset)
{
	return (counter *)(void *)((char *)counters + offset);
}

static uint64_t counter_sum(const struct stat_object *object, size_t offset)
{
	uint64_t sum = 0;
	for (unsigned worker = 0; worker < object->workers; worker++)
		sum += counter_read(counter_at(&object->counters[worker], offset));
	return sum;
}

uint64_t stat_object_counter(const struct stat_object *object, size_t offset)
{
	const char *baseline = (const char *)&object->baseline + offset;
	return counter_sum(object, offset) - *(const counter *)(const void *)baseline;
}

uint64_t stat_object_maximum(const struct stat_object *object, size_t offset)
{
	uint64_t highest = 0;
	for (unsigned worker = 0; worker < object->workers; worker++) {
		uint64_t value = counter_read(counter_at(&object->counters[worker], offset));
		highest = value > highest ? value : highest;
	}
	return highest;
}

uint64_t stat_wall_read(const uint64_t *wall_us)
{
	return __atomic_load_n(wall_us, __ATOMIC_RELAXED);
}

static void gauge_restart(uint32_t *maximum, const uint32_t *now)
{
	__atomic_store_n(maximum, now ? stat_gauge(now) : 0, __ATOMIC_RELAXED);
}

static void maxima_clear(struct stat_object *object)
{
	for (size_t i = 0; i < ARRAY_LENGTH(maximum_offsets); i++) {
		for (unsigned worker = 0; worker < object->workers; worker++)
			__atomic_store_n(counter_at(&object->counters[worker], maximum_offsets[i]), 0,
				__ATOMIC_RELAXED);
	}
	switch (object->kind) {
	case STAT_FRONTEND:
		gauge_restart(&object->frontend->conn_max, &object->frontend->conn_cur);
		gauge_restart(&object->frontend->rate_max, NULL);
		return;
	case STAT_BACKEND:
		gauge_restart(&object->backend->conn_max, &object->backend->conn_cur);
		gauge_restart(&object->backend->queue_max, &object->backend->queue_cur);
		gauge_restart(&object->backend->rate_max, NULL);
		return;
	case STAT_SERVER:
		gauge_restart(&object->server->conn_max, &object->server->conn_cur);
		gauge_restart(&object->server->queue_max, &object->server->queue_cur);
		gauge_restart(&object->server->rate_max, NULL);
		return;
	case STAT_LISTENER:
		return;
	}
}

void stat_object_clear(struct stat_object *object, bool is_all)
{
	maxima_clear(object);
	if (!is_all)
		return;
	for (size_t offset = 0; offset < sizeof(struct traffic_counters); offset += sizeof(counter))
		*counter_at(&object->baseline, offset) = counter_sum(object, offset);
	object->down_count = 0;
	object->down_us = 0;
}

static void rate_sample(const struct rate_meter *meter, uint32_t *rate_max, uint64_t now_ms)
{
	uint32_t rate = rate_meter_read(meter, now_ms);
	if (rate > stat_gauge(rate_max))
		__atomic_store_n(rate_max, rate, __ATOMIC_RELAXED);
}

static void backend_sample(struct stat_object *object, uint64_t wall_us)
{
	bool is_up = backend_has_usable(object->backend);
	if (is_up == object->was_up)
		return;
	if (is_up)
		object->down_us += wall_us - object->changed_wall_us;
	else
		object->down_count++;
	object->was_up = is_up;
	object->changed_wall_us = wall_us;
}

void stat_object_sample(struct stat_object *object, uint64_t now_ms, uint64_t wall_us)
{
	switch (object->kind) {
	case STAT_FRONTEND:
		rate_sample(&object->frontend->rate, &object->frontend->rate_max, now_ms);
		return;
	case STAT_BACKEND:
		rate_sample(&object->backend->rate, &object->backend->rate_max, now_ms);
		backend_sample(object, wall_us);
		return;
	case STAT_SERVER:
		rate_sample(&object->server->rate, &object->server->rate_max, now_ms);
		return;
	case STAT_LISTENER:
		return;
	}
}
