/* Servers that follow the state of another one, of this backend or of another. */
#include "backend/backend_internal.h"
#include "base/check.h"

static struct server *server_of(struct backend *first, const struct config_server *config)
{
	for (struct backend *backend = first; backend; backend = backend->next)
		for (unsigned i = 0; i < backend->servers_count; i++)
			if (backend->servers[i].config == config)
				return &backend->servers[i];
	return NULL;
}

void backends_link_tracking(struct backend *first)
{
	for (struct backend *backend = first; backend; backend = backend->next) {
		for (unsigned i = 0; i < backend->servers_count; i++) {
			struct server *server = &backend->servers[i];
			if (!server->config->tracked)
				continue;
			struct server *tracked = server_of(first, server->config->tracked);
			CHECK(tracked && tracked != server);
			server->tracker_next = tracked->trackers;
			tracked->trackers = server;
			server->followed = tracked;
		}
	}
	for (struct backend *backend = first; backend; backend = backend->next)
		for (unsigned i = 0; i < backend->servers_count; i++)
			if (!backend->servers[i].config->tracked)
				server_trackers_update(&backend->servers[i]);
}
