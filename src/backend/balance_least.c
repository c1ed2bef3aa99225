/* Least connections for its weight; equals take turns.  Who waits need not be counted:
 * a server that is waited for has no slot for others. */
#include <errno.h>
#include <stdlib.h>

#include "backend/backend_internal.h"
#include "backend/balance.h"
#include "backend/index_heap.h"

/* What the order stands on.  The gauges move while others are compared, so that
 * their values at the last update count. */
struct standing {
	uint32_t load, share;
	uint64_t turn; /* grows with every session it gets */
};

struct least {
	struct index_heap order;
	uint64_t turns;
	struct standing standings[];
};

static bool is_before(const void *context, unsigned a, unsigned b)
{
	const struct standing *standings = ((const struct least *)context)->standings;
	const struct standing *left = &standings[a], *right = &standings[b];
	uint64_t load_left = (uint64_t)left->load * right->share;
	uint64_t load_right = (uint64_t)right->load * left->share;
	if (load_left != load_right)
		return load_left < load_right;
	return left->turn != right->turn ? left->turn < right->turn : a < b;
}

static void standing_read(struct least *least, const struct server *server)
{
	struct standing *standing = &least->standings[server->index];
	standing->load = server_conn_cur(server);
	standing->share = server->share;
}

int balance_least_create(struct backend *backend)
{
	struct least *least =
		calloc(1, sizeof(*least) + backend->servers_count * sizeof(least->standings[0]));
	if (!least)
		return -ENOMEM;
	backend_private(backend)->balance = least;
	return index_heap_init(&least->order, backend->servers_count, is_before, least);
}

void balance_least_destroy(struct backend *backend)
{
	struct least *least = backend_private(backend)->balance;
	if (least)
		index_heap_release(&least->order);
	free(least);
}

void balance_least_add(struct backend *backend, struct server *server)
{
	struct least *least = backend_private(backend)->balance;
	standing_read(least, server);
	index_heap_add(&least->order, server->index);
}

void balance_least_remove(struct backend *backend, struct server *server)
{
	struct least *least = backend_private(backend)->balance;
	index_heap_remove(&least->order, server->index);
}

void balance_least_update(struct backend *backend, struct server *server)
{
	struct least *least = backend_private(backend)->balance;
	standing_read(least, server);
	index_heap_moved(&least->order, server->index);
}

struct server *balance_least_pick(struct backend *backend)
{
	const struct least *least = backend_private(backend)->balance;
	return least->order.count ? &backend->servers[index_heap_first(&least->order)] : NULL;
}

void balance_least_take(struct backend *backend, struct server *server)
{
	struct least *least = backend_private(backend)->balance;
	least->standings[server->index].turn = ++least->turns;
	balance_least_update(backend, server);
}
