/* By a key of the connection, for `source` and `hash`: as long as the members and
 * their weights stay, a key always meets the same server, in every worker, process
 * and machine.  A connection waits for its server when that one is full; it goes on
 * to the next in the table when the server is to be avoided, above its bound, or has
 * as many waiting as it may. */
#include <errno.h>
#include <stdlib.h>

#include "backend/balance.h"
#include "backend/place_table.h"

struct keyed {
	struct place_table table;
	uint64_t walk; /* number of the present walk */
	uint64_t seen[]; /* by server: the last walk that met it */
};

int balance_hash_create(struct backend *backend)
{
	struct keyed *keyed = calloc(1, sizeof(*keyed) + backend->servers_count * sizeof(keyed->seen[0]));
	if (!keyed)
		return -ENOMEM;
	backend_private(backend)->balance = keyed;
	return place_table_init(&keyed->table, backend->config->hash.type, backend);
}

void balance_hash_destroy(struct backend *backend)
{
	struct keyed *keyed = backend_private(backend)->balance;
	if (keyed)
		place_table_release(&keyed->table);
	free(keyed);
}

void balance_hash_on_members(struct backend *backend)
{
	((struct keyed *)backend_private(backend)->balance)->table.is_stale = true;
}

/* What is asked of a server on one walk along the table; less on each. */
enum { WALK_STRICT, WALK_ABOVE_BOUND, WALK_AVOIDED, WALKS };

static bool is_acceptable(const struct server *server, const struct choice *choice, unsigned walk)
{
	if (!server->is_member || (walk < WALK_AVOIDED && server == choice->avoid))
		return false;
	return walk >= WALK_ABOVE_BOUND || server_is_within_bound(server);
}

/* The first server from the place on, each looked at once, that is open or, if it
 * must be waited for, can be waited for. */
static struct server *walk_along(
	struct keyed *keyed, unsigned place, const struct choice *choice, unsigned walk)
{
	const struct place_table *table = &keyed->table;
	unsigned left = backend_private(table->backend)->members;
	keyed->walk++;
	for (unsigned i = 0; i < table->count && left > 0; i++) {
		struct server *server = place_table_server(table, place);
		place = place + 1 < table->count ? place + 1 : 0;
		if (keyed->seen[server->index] == keyed->walk)
			continue;
		keyed->seen[server->index] = keyed->walk;
		left -= server->is_member;
		if (is_acceptable(server, choice, walk) &&
			(server_is_open(server, choice) || server_has_queue_room(server)))
			return server;
	}
	return NULL;
}

struct server *balance_hash_look_up(
	struct backend *backend, const struct choice *choice, struct server **ret_wanted)
{
	struct keyed *keyed = backend_private(backend)->balance;
	struct server *server = NULL;
	place_table_refresh(&keyed->table);
	if (keyed->table.count == 0)
		return NULL;
	unsigned place = place_table_find(&keyed->table, choice->hash);
	for (unsigned walk = WALK_STRICT; !server && walk < WALKS; walk++)
		server = walk_along(keyed, place, choice, walk);
	if (!server || server_is_open(server, choice))
		return server;
	*ret_wanted = server;
	return NULL;
}
