/* The first server that has a free slot, so that the last ones can rest: lowest id
 * first, by place in the configuration where no id is given. */
#include "backend/backend_internal.h"

static unsigned rank_of(const struct server *server)
{
	return server->config->id ? server->config->id : server->index + 1;
}

struct server *balance_first(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate)
{
	struct server *best = NULL;
	(void)request;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		if (is_candidate[i] && (!best || rank_of(server) < rank_of(best)))
			best = server;
	}
	return best;
}
