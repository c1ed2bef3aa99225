/* Least connections for its weight; equals take turns. */
#include "backend/backend_internal.h"
#include "base/check.h"

struct server *balance_least(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate)
{
	struct backend_private *private = backend_private(backend);
	struct server *best = NULL;
	unsigned count = backend->servers_count;
	(void)request;
	for (unsigned i = 0; i < count; i++) {
		unsigned index = (private->next_index + i) % count;
		struct server *server = &backend->servers[index];
		if (is_candidate[index] && (!best || server_is_less_loaded(server, best)))
			best = server;
	}
	CHECK(best != NULL);
	private->next_index = best->index + 1;
	return best;
}
