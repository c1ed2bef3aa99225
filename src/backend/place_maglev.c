/* Maglev's table (Eisenbud and others, NSDI 2016): each server has an order of
 * preference over all places, drawn from its name; in turns, as often as its share
 * says, each takes the place it likes best of those left.  The servers take turns in
 * the order of their names, so that the same servers have the same places on every
 * machine, however they are listed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/place_table.h"
#include "base/check.h"
#include "base/hash.h"

enum {
	PLACES = 65537, /* a prime */
	NOBODY = UINT32_MAX,
};

/* Fixed for ever: another choice would send clients elsewhere after an upgrade. */
static const struct hash_key offset_key = {0x6f66667365740000, 0x6d61676c65760000};
static const struct hash_key stride_key = {0x7374726964650000, 0x6d61676c65760000};

struct preference {
	unsigned index; /* of the server */
	uint32_t offset, stride; /* it likes offset, offset + stride, … best */
	uint32_t next; /* the next place to look at */
	uint32_t credit; /* shares saved up; the largest share buys a place */
};

struct maglev_work {
	unsigned count;
	struct preference preferences[]; /* of all servers, by name */
};

struct named {
	const char *name;
	unsigned index;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void preferences_fill(struct maglev_work *work, const struct named *named)
{
	for (unsigned i = 0; i < work->count; i++) {
		size_t len = strlen(named[i].name);
		work->preferences[i] = (struct preference){
			.index = named[i].index,
			.offset = (uint32_t)(hash_keyed(&offset_key, named[i].name, len) % PLACES),
			.stride = (uint32_t)(hash_keyed(&stride_key, named[i].name, len) % (PLACES - 1) + 1),
		};
	}
}

static int maglev_create(struct place_table *table)
{
	const struct backend *backend = table->backend;
	unsigned count = backend->servers_count;
	struct named *named = calloc(count ? count : 1, sizeof(*named));
	struct maglev_work *work = calloc(1, sizeof(*work) + count * sizeof(work->preferences[0]));
	table->servers = calloc(PLACES, sizeof(*table->servers));
	table->work = work;
	if (!named || !work || !table->servers) {
		free(named);
		return -ENOMEM;
	}
	work->count = count;
	for (unsigned i = 0; i < count; i++)
		named[i] = (struct named){backend->servers[i].config->name, i};
	qsort(named, count, sizeof(*named), compare_names);
	preferences_fill(work, named);
	free(named);
	return 0;
}

static void maglev_destroy(struct place_table *table)
{
	free(table->work);
	free(table->servers);
	table->work = NULL;
	table->servers = NULL;
}

/* There is a free place; the stride meets all, for their number is a prime. */
static void place_take(struct place_table *table, struct preference *preference)
{
	uint32_t place = preference->next;
	while (table->servers[place] != NOBODY)
		place = place + preference->stride < PLACES ? place + preference->stride
							    : place + preference->stride - PLACES;
	table->servers[place] = preference->index;
	preference->next = place;
}

static uint32_t share_of_member(const struct backend *backend, unsigned index)
{
	const struct server *server = &backend->servers[index];
	return server->is_member ? server->share : 0;
}

/* One turn of every server; returns how many places are left. */
static unsigned places_share(struct place_table *table, uint32_t share_max, unsigned left)
{
	struct maglev_work *work = table->work;
	for (unsigned i = 0; i < work->count && left > 0; i++) {
		struct preference *preference = &work->preferences[i];
		preference->credit += share_of_member(table->backend, preference->index);
		if (preference->credit < share_max)
			continue;
		preference->credit -= share_max;
		place_take(table, preference);
		left--;
	}
	return left;
}

static int maglev_build(struct place_table *table)
{
	struct maglev_work *work = table->work;
	uint32_t share_max = 0;
	for (unsigned i = 0; i < work->count; i++) {
		uint32_t share = share_of_member(table->backend, i);
		share_max = share > share_max ? share : share_max;
		work->preferences[i].next = work->preferences[i].offset;
		work->preferences[i].credit = 0;
	}
	CHECK(share_max > 0);
	memset(table->servers, 0xff, PLACES * sizeof(*table->servers));
	for (unsigned left = PLACES; left > 0;)
		left = places_share(table, share_max, left);
	table->count = PLACES;
	return 0;
}

const struct place_table_kind place_maglev = {
	CONFIG_HASH_MAGLEV, maglev_create, maglev_destroy, maglev_build};
