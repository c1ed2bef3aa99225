/* A named group of servers: its life, and what it is asked about as a whole. */
#include "backend/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend_internal.h"
#include "base/check.h"

static int storage_create(struct backend *backend)
{
	struct backend_private *private = backend_private(backend);
	unsigned count = backend->servers_count ? backend->servers_count : 1;
	private->aside = calloc(count, sizeof(*private->aside));
	backend->servers = calloc(count, sizeof(*backend->servers));
	backend->counters = traffic_counters_create(backend->workers);
	if (!private->aside || !backend->servers || !backend->counters)
		return -ENOMEM;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		backend->servers[i].counters = traffic_counters_create(backend->workers);
		if (!backend->servers[i].counters)
			return -ENOMEM;
	}
	return 0;
}

static int backend_fill(struct backend *backend)
{
	unsigned index = 0;
	int result = storage_create(backend);
	if (result < 0)
		return result;
	for (const struct config_server *from = backend->config->servers; from; from = from->next)
		server_init(&backend->servers[index++], backend, from);
	result = backend->balancer->create(backend);
	if (result < 0)
		return result;
	backend_lock(backend);
	backend_members_update_locked(backend);
	backend_unlock(backend);
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
	backend->config = config;
	backend->workers = workers;
	backend->balancer = balancer_find(config->balance);
	for (const struct config_server *server = config->servers; server; server = server->next)
		backend->servers_count++;
	int result = backend_fill(backend);
	if (result < 0) {
		backend_destroy(backend);
		return result;
	}
	*ret_backend = backend;
	return 0;
}

void backend_destroy(struct backend *backend)
{
	if (!backend)
		return;
	struct backend_private *private = backend_private(backend);
	CHECK(__atomic_load_n(&private->waiting, __ATOMIC_RELAXED) == 0);
	backend->balancer->destroy(backend);
	for (unsigned i = 0; backend->servers && i < backend->servers_count; i++)
		free(backend->servers[i].counters);
	free(backend->servers);
	free(backend->counters);
	free(private->aside);
	pthread_mutex_destroy(&private->lock);
	free(private);
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
