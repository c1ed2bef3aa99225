/* Whether there is a sockmap engine, and how large each worker's table is. */

#include "worker/instance_sockmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bpf/sockmap.h"

enum { CONNECTIONS_MAX_DEFAULT = 32768 };

static bool is_sockmap(const char *engine)
{
	return engine != NULL && strcmp(engine, "sockmap") == 0;
}

bool instance_sockmap_is_wanted(const struct config *config)
{
	bool is_named = is_sockmap(config->global.relay);
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next)
		is_named = is_named || is_sockmap(proxy->relay);
	return is_named;
}

/* A worker may get more than its share of connections: the rest stays with the pumps. */
static unsigned pairs_of_worker(const struct instance *instance)
{
	unsigned pairs = instance->config->global.sockmap_connections;
	if (pairs == 0) {
		pairs = instance->limits.maxconn;
		if (pairs > CONNECTIONS_MAX_DEFAULT)
			pairs = CONNECTIONS_MAX_DEFAULT;
	}
	return (pairs + instance->workers_count - 1) / instance->workers_count;
}

static int tables_make(struct instance *instance, char *ret_reason)
{
	int error = sockmap_selftest(ret_reason);
	if (error != 0)
		return error;
	instance->sockmaps = calloc(instance->workers_count, sizeof(struct sockmap_table *));
	if (instance->sockmaps == NULL) {
		snprintf(ret_reason, SOCKMAP_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < instance->workers_count && error == 0; i++)
		error = sockmap_table_create(pairs_of_worker(instance), &instance->sockmaps[i], ret_reason);
	return error;
}

void instance_sockmap_create(struct instance *instance)
{
	char reason[SOCKMAP_REASON_MAX];
	if (!instance_sockmap_is_wanted(instance->config) || tables_make(instance, reason) == 0)
		return;
	instance_sockmap_destroy(instance);
	snprintf(instance->sockmap_refusal, sizeof(instance->sockmap_refusal), "%s", reason);
	log_event(LOG_LEVEL_WARNING, "relay sockmap: %s. Connections are left to copy.", reason);
}

struct sockmap_table *instance_sockmap_table(const struct instance *instance, unsigned worker)
{
	return instance->sockmaps != NULL ? instance->sockmaps[worker] : NULL;
}

void instance_sockmap_destroy(struct instance *instance)
{
	for (unsigned i = 0; instance->sockmaps != NULL && i < instance->workers_count; i++)
		sockmap_table_destroy(instance->sockmaps[i]);
	free(instance->sockmaps);
	instance->sockmaps = NULL;
}
