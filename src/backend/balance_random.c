/* Draws a few servers by weight and takes the one with the least connections for
 * its weight: near to leastconn without all going to the same one. */
#include "backend/backend_internal.h"
#include "base/check.h"
#include "base/hash.h"

static struct server *draw(struct backend *backend, const bool *is_candidate, uint64_t total)
{
	uint64_t left = hash_mix(backend_private(backend)->draws++) % total;
	unsigned index = 0;
	while (!is_candidate[index] || left >= backend->servers[index].weight) {
		left -= is_candidate[index] ? backend->servers[index].weight : 0;
		index++;
	}
	return &backend->servers[index];
}

struct server *balance_random(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate)
{
	unsigned draws = backend->config->random_draws ? backend->config->random_draws : 2;
	uint64_t total = 0;
	(void)request;
	for (unsigned i = 0; i < backend->servers_count; i++)
		total += is_candidate[i] ? backend->servers[i].weight : 0;
	CHECK(total > 0);
	struct server *best = draw(backend, is_candidate, total);
	for (unsigned i = 1; i < draws; i++) {
		struct server *other = draw(backend, is_candidate, total);
		if (server_is_less_loaded(other, best))
			best = other;
	}
	return best;
}
