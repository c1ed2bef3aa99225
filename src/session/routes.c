/* Where rules may lead: frontends and backends by number and by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/session.h"

static int backend_compare(const void *a, const void *b)
{
	const struct backend *one = *(struct backend *const *)a, *other = *(struct backend *const *)b;
	return strcmp(one->config->name, other->config->name);
}

static int tables_create(struct session_routes *routes)
{
	size_t bytes = sizeof(void *), count = routes->proxies + 1;
	routes->frontends = calloc(count, bytes);
	routes->backends = calloc(count, bytes);
	routes->by_name = calloc(count, bytes);
	bool has_all = routes->frontends != NULL && routes->backends != NULL && routes->by_name != NULL;
	return has_all ? 0 : -ENOMEM;
}

int session_routes_init(struct session_routes *routes, const struct config *config,
	struct frontend *frontends, struct backend *backends)
{
	memset(routes, 0, sizeof(*routes));
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next)
		routes->proxies++;
	if (tables_create(routes) < 0)
		return -ENOMEM;
	for (struct frontend *frontend = frontends; frontend != NULL; frontend = frontend->next)
		routes->frontends[frontend->config->index] = frontend;
	for (struct backend *backend = backends; backend != NULL; backend = backend->next) {
		routes->backends[backend->config->index] = backend;
		routes->by_name[routes->named++] = backend;
	}
	qsort(routes->by_name, routes->named, sizeof(struct backend *), backend_compare);
	return 0;
}

void session_routes_release(struct session_routes *routes)
{
	free(routes->frontends);
	free(routes->backends);
	free(routes->by_name);
	memset(routes, 0, sizeof(*routes));
}

struct backend *session_routes_find(const struct session_routes *routes, const char *name)
{
	size_t first = 0, count = routes->named;
	while (count > 0) {
		size_t half = count / 2;
		int order = strcmp(routes->by_name[first + half]->config->name, name);
		if (order == 0)
			return routes->by_name[first + half];
		if (order < 0) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return NULL;
}
