/* Smooth weighted round robin: each server's credit grows by its weight, the
 * richest is chosen and pays for all.  Over a round as long as the sum of the
 * weights each is chosen exactly as often as its weight says, spread evenly. */
#include "backend/backend_internal.h"
#include "base/check.h"

struct server *balance_round_robin(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate)
{
	struct server *best = NULL;
	int64_t total = 0;
	(void)request;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		if (!is_candidate[i])
			continue;
		server->current += server->weight;
		total += server->weight;
		if (!best || server->current > best->current)
			best = server;
	}
	CHECK(best != NULL);
	best->current -= total;
	return best;
}

/* Credit saved up under other weights must not burst out under the new ones. */
void balance_round_robin_reset(struct backend *backend)
{
	for (unsigned i = 0; i < backend->servers_count; i++)
		backend->servers[i].current = 0;
}
