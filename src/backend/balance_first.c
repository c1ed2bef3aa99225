/* The first server that has a free slot, so that the last ones can rest: lowest id
 * first, by place in the configuration where no id is given. */
#include <errno.h>
#include <stdlib.h>

#include "backend/backend_internal.h"
#include "backend/balance.h"
#include "backend/index_heap.h"

static unsigned rank_of(const struct backend *backend, unsigned index)
{
	unsigned id = backend->servers[index].config->id;
	return id ? id : index + 1;
}

static bool is_before(const void *context, unsigned a, unsigned b)
{
	unsigned rank_a = rank_of(context, a), rank_b = rank_of(context, b);
	return rank_a != rank_b ? rank_a < rank_b : a < b;
}

int balance_first_create(struct backend *backend)
{
	struct index_heap *ranking = calloc(1, sizeof(*ranking));
	if (!ranking)
		return -ENOMEM;
	backend_private(backend)->balance = ranking;
	return index_heap_init(ranking, backend->servers_count, is_before, backend);
}

void balance_first_destroy(struct backend *backend)
{
	struct index_heap *ranking = backend_private(backend)->balance;
	if (ranking)
		index_heap_release(ranking);
	free(ranking);
}

void balance_first_add(struct backend *backend, struct server *server)
{
	index_heap_add(backend_private(backend)->balance, server->index);
}

void balance_first_remove(struct backend *backend, struct server *server)
{
	index_heap_remove(backend_private(backend)->balance, server->index);
}

struct server *balance_first_pick(struct backend *backend)
{
	const struct index_heap *ranking = backend_private(backend)->balance;
	return ranking->count ? &backend->servers[index_heap_first(ranking)] : NULL;
}
