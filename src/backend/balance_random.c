/* Draws a few servers by weight and takes the one with the least connections for
 * its weight: near to leastconn without all going to the same one.
 *
 * The weights are in a tree of sums (Fenwick's): place i holds the sum of the last
 * lowest-bit-of-i shares up to i, so that changing one and finding the server that
 * a number falls to take O(log n). */
#include <errno.h>
#include <stdlib.h>

#include "backend/backend_internal.h"
#include "backend/balance.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"

struct lots {
	uint64_t draws; /* made so far: the generator's state */
	uint64_t total;
	unsigned count, top; /* top: the highest power of two within count */
	uint32_t *shares; /* [count] */
	uint64_t sums[]; /* [count + 1] */
};

int balance_random_create(struct backend *backend)
{
	unsigned count = backend->servers_count;
	struct lots *lots = calloc(1, sizeof(*lots) + (count + 1) * sizeof(lots->sums[0]));
	if (!lots)
		return -ENOMEM;
	backend_private(backend)->balance = lots;
	lots->draws = clock_monotonic_us();
	lots->count = count;
	lots->top = 1;
	while (lots->top * 2 <= count)
		lots->top *= 2;
	lots->shares = calloc(count ? count : 1, sizeof(*lots->shares));
	return lots->shares ? 0 : -ENOMEM;
}

void balance_random_destroy(struct backend *backend)
{
	struct lots *lots = backend_private(backend)->balance;
	if (lots)
		free(lots->shares);
	free(lots);
}

static void share_set(struct lots *lots, unsigned index, uint32_t share)
{
	uint64_t change = (uint64_t)share - lots->shares[index]; /* may wrap, as the sums then do */
	lots->shares[index] = share;
	lots->total += change;
	for (unsigned place = index + 1; place <= lots->count; place += place & -place)
		lots->sums[place] += change;
}

void balance_random_add(struct backend *backend, struct server *server)
{
	share_set(backend_private(backend)->balance, server->index, server->share);
}

void balance_random_remove(struct backend *backend, struct server *server)
{
	share_set(backend_private(backend)->balance, server->index, 0);
}

void balance_random_update(struct backend *backend, struct server *server)
{
	share_set(backend_private(backend)->balance, server->index, server->share);
}

static struct server *draw(struct backend *backend, struct lots *lots)
{
	uint64_t left = hash_mix(lots->draws++) % lots->total;
	unsigned place = 0;
	for (unsigned step = lots->top; step > 0; step /= 2) {
		if (place + step <= lots->count && lots->sums[place + step] <= left) {
			place += step;
			left -= lots->sums[place];
		}
	}
	CHECK(place < lots->count);
	return &backend->servers[place];
}

struct server *balance_random_pick(struct backend *backend)
{
	struct lots *lots = backend_private(backend)->balance;
	unsigned draws = backend->config->random_draws ? backend->config->random_draws : 2;
	if (lots->total == 0)
		return NULL;
	struct server *best = draw(backend, lots);
	for (unsigned i = 1; i < draws; i++) {
		struct server *other = draw(backend, lots);
		if (server_is_less_loaded(other, best))
			best = other;
	}
	return best;
}
