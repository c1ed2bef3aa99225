/* Smooth weighted round robin, as earliest eligible virtual deadline first: a turn
 * of a server takes 1/share of virtual time, in which 1/(sum of the shares) passes
 * with every choice.  Among the servers whose turn has begun the one whose turn
 * ends first is chosen.  Over a round as long as the sum of the weights each is
 * chosen exactly as often as its weight says, spread evenly over the round.
 *
 * Times are compared by their difference, so that they may wrap. */
#include <errno.h>
#include <stdlib.h>

#include "backend/backend_internal.h"
#include "backend/balance.h"
#include "backend/index_heap.h"

#define ROUND ((uint64_t)1 << 48) /* virtual time of a whole turn of a share of 1 */

struct turn {
	uint64_t begin, end;
	uint32_t share;
};

struct round_robin {
	struct index_heap ready; /* their turn has begun; the earliest end first */
	struct index_heap resting; /* the earliest begin first */
	uint64_t now, shares;
	struct turn turns[];
};

static bool ends_before(const void *context, unsigned a, unsigned b)
{
	const struct turn *turns = ((const struct round_robin *)context)->turns;
	int64_t difference = (int64_t)(turns[a].end - turns[b].end);
	return difference != 0 ? difference < 0 : a < b;
}

static bool begins_before(const void *context, unsigned a, unsigned b)
{
	const struct turn *turns = ((const struct round_robin *)context)->turns;
	int64_t difference = (int64_t)(turns[a].begin - turns[b].begin);
	return difference != 0 ? difference < 0 : a < b;
}

int balance_round_robin_create(struct backend *backend)
{
	struct round_robin *robin =
		calloc(1, sizeof(*robin) + backend->servers_count * sizeof(robin->turns[0]));
	if (!robin)
		return -ENOMEM;
	backend_private(backend)->balance = robin;
	int result = index_heap_init(&robin->ready, backend->servers_count, ends_before, robin);
	if (result < 0)
		return result;
	return index_heap_init(&robin->resting, backend->servers_count, begins_before, robin);
}

void balance_round_robin_destroy(struct backend *backend)
{
	struct round_robin *robin = backend_private(backend)->balance;
	if (robin) {
		index_heap_release(&robin->ready);
		index_heap_release(&robin->resting);
	}
	free(robin);
}

/* Who has been away gets no turns for that time, nor waits for one that was far off
 * when the server was much lighter. */
void balance_round_robin_add(struct backend *backend, struct server *server)
{
	struct round_robin *robin = backend_private(backend)->balance;
	struct turn *turn = &robin->turns[server->index];
	uint64_t length = ROUND / server->share;
	int64_t ahead = (int64_t)(turn->begin - robin->now);
	if (ahead > (int64_t)length || -ahead > (int64_t)length || turn->share == 0)
		turn->begin = robin->now;
	turn->share = server->share;
	turn->end = turn->begin + length;
	robin->shares += turn->share;
	index_heap_add(&robin->resting, server->index);
}

static void turn_leave(struct round_robin *robin, unsigned index)
{
	index_heap_remove(index_heap_has(&robin->ready, index) ? &robin->ready : &robin->resting, index);
}

void balance_round_robin_remove(struct backend *backend, struct server *server)
{
	struct round_robin *robin = backend_private(backend)->balance;
	turn_leave(robin, server->index);
	robin->shares -= robin->turns[server->index].share;
}

void balance_round_robin_update(struct backend *backend, struct server *server)
{
	const struct round_robin *robin = backend_private(backend)->balance;
	if (robin->turns[server->index].share == server->share)
		return;
	balance_round_robin_remove(backend, server);
	balance_round_robin_add(backend, server);
}

static void ready_add(struct round_robin *robin)
{
	unsigned index = index_heap_first(&robin->resting);
	index_heap_remove(&robin->resting, index);
	index_heap_add(&robin->ready, index);
}

struct server *balance_round_robin_pick(struct backend *backend)
{
	struct round_robin *robin = backend_private(backend)->balance;
	while (robin->resting.count > 0) {
		const struct turn *next = &robin->turns[index_heap_first(&robin->resting)];
		bool has_begun = (int64_t)(next->begin - robin->now) <= 0;
		if (!has_begun && robin->ready.count > 0)
			break;
		/* Nobody's turn: time goes on to the next one. */
		if (!has_begun)
			robin->now = next->begin;
		ready_add(robin);
	}
	return robin->ready.count > 0 ? &backend->servers[index_heap_first(&robin->ready)] : NULL;
}

/* What the divisions lose is less than one turn in 2^30, and when time falls behind by
 * it, it goes on to the next turn. */
void balance_round_robin_take(struct backend *backend, struct server *server)
{
	struct round_robin *robin = backend_private(backend)->balance;
	struct turn *turn = &robin->turns[server->index];
	turn_leave(robin, server->index);
	turn->begin = turn->end;
	turn->end += ROUND / turn->share;
	index_heap_add(&robin->resting, server->index);
	robin->now += ROUND / robin->shares;
}
