/* The table of static-rr and of map-based hashes: as many places as the configured
 * weights of the members add up to, divided by what all weights have in common.
 *
 * With every place each member is owed its weight's part of a place more.  A place
 * goes to the member that is owed the most whole places, and among equals to the
 * first in the configuration.  HAProxy's table comes out the same, so that a client
 * meets the same server behind either. */
#include <errno.h>
#include <stdlib.h>

#include "backend/index_heap.h"
#include "backend/place_table.h"
#include "base/check.h"

struct owed {
	uint32_t weight; /* reduced */
	uint32_t grown; /* whole places it has been due for so far */
	uint32_t given;
	uint64_t next; /* the place at which one more is due */
};

struct map_work {
	unsigned divisor;
	uint64_t total; /* of the members' weights */
	struct index_heap owed_order; /* the most owed first */
	struct index_heap due_order; /* the next to be due first */
	struct owed owed[];
};

static bool is_owed_before(const void *context, unsigned a, unsigned b)
{
	const struct owed *owed = ((const struct map_work *)context)->owed;
	int64_t left = (int64_t)owed[a].grown - owed[a].given;
	int64_t right = (int64_t)owed[b].grown - owed[b].given;
	return left != right ? left > right : a < b;
}

static bool is_due_before(const void *context, unsigned a, unsigned b)
{
	const struct owed *owed = ((const struct map_work *)context)->owed;
	return owed[a].next != owed[b].next ? owed[a].next < owed[b].next : a < b;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
	while (b != 0) {
		unsigned rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* One that is configured without weight counts as the lightest when it gets some. */
static uint32_t weight_reduced(const struct map_work *work, const struct server *server)
{
	unsigned weight = server->config->weight;
	weight = weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX;
	return weight ? weight / work->divisor : 1;
}

static int map_create(struct place_table *table)
{
	const struct backend *backend = table->backend;
	uint64_t places = 0;
	struct map_work *work = calloc(1, sizeof(*work) + backend->servers_count * sizeof(work->owed[0]));
	if (!work)
		return -ENOMEM;
	table->work = work;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		unsigned weight = backend->servers[i].config->weight;
		weight = weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX;
		work->divisor = common_divisor(work->divisor, weight);
	}
	if (work->divisor == 0)
		work->divisor = 1;
	for (unsigned i = 0; i < backend->servers_count; i++)
		places += weight_reduced(work, &backend->servers[i]);
	table->servers = calloc(places ? places : 1, sizeof(*table->servers));
	if (!table->servers)
		return -ENOMEM;
	int result = index_heap_init(&work->owed_order, backend->servers_count, is_owed_before, work);
	if (result < 0)
		return result;
	return index_heap_init(&work->due_order, backend->servers_count, is_due_before, work);
}

static void map_destroy(struct place_table *table)
{
	struct map_work *work = table->work;
	if (work) {
		index_heap_release(&work->owed_order);
		index_heap_release(&work->due_order);
	}
	free(work);
	free(table->servers);
	table->work = NULL;
	table->servers = NULL;
}

/* After o + 1 places a member has been due for (o + 1) * weight / total, rounded down:
 * so for one more when that product passes the next multiple of total. */
static void due_set(const struct map_work *work, struct owed *owed)
{
	uint64_t passed = (uint64_t)(owed->grown + 1) * work->total;
	owed->next = (passed + owed->weight - 1) / owed->weight - 1;
}

static void members_enter(struct map_work *work, const struct backend *backend)
{
	index_heap_clear(&work->owed_order);
	index_heap_clear(&work->due_order);
	work->total = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		work->owed[i] = (struct owed){.weight = weight_reduced(work, server)};
		work->total += server->is_member ? work->owed[i].weight : 0;
	}
	for (unsigned i = 0; i < backend->servers_count; i++) {
		if (!backend->servers[i].is_member)
			continue;
		due_set(work, &work->owed[i]);
		index_heap_add(&work->owed_order, i);
		index_heap_add(&work->due_order, i);
	}
}

static void dues_grow(struct map_work *work, uint64_t place)
{
	for (;;) {
		unsigned index = index_heap_first(&work->due_order);
		struct owed *owed = &work->owed[index];
		if (owed->next > place)
			return;
		owed->grown++;
		due_set(work, owed);
		index_heap_moved(&work->due_order, index);
		index_heap_moved(&work->owed_order, index);
	}
}

static int map_build(struct place_table *table)
{
	struct map_work *work = table->work;
	members_enter(work, table->backend);
	for (uint64_t place = 0; place < work->total; place++) {
		dues_grow(work, place);
		unsigned index = index_heap_first(&work->owed_order);
		table->servers[place] = index;
		work->owed[index].given++;
		index_heap_moved(&work->owed_order, index);
	}
	table->count = (unsigned)work->total;
	return 0;
}

const struct place_table_kind place_map = {CONFIG_HASH_MAP_BASED, map_create, map_destroy, map_build};
