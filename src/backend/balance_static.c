/* Round robin over a table that is made when servers come or go: the next place
 * whose server has room. */
#include <errno.h>
#include <stdlib.h>

#include "backend/balance.h"
#include "backend/place_table.h"

struct static_turn {
	struct place_table table;
	unsigned next; /* place */
};

int balance_static_create(struct backend *backend)
{
	struct static_turn *turn = calloc(1, sizeof(*turn));
	if (!turn)
		return -ENOMEM;
	backend_private(backend)->balance = turn;
	return place_table_init(&turn->table, CONFIG_HASH_MAP_BASED, backend);
}

void balance_static_destroy(struct backend *backend)
{
	struct static_turn *turn = backend_private(backend)->balance;
	if (turn)
		place_table_release(&turn->table);
	free(turn);
}

void balance_static_on_members(struct backend *backend)
{
	((struct static_turn *)backend_private(backend)->balance)->table.is_stale = true;
}

static struct server *turn_take(struct static_turn *turn, unsigned place)
{
	turn->next = place + 1;
	return place_table_server(&turn->table, place);
}

/* When others wait already every server is full: nobody need walk over them. */
struct server *balance_static_look_up(
	struct backend *backend, const struct choice *choice, struct server **ret_wanted)
{
	struct static_turn *turn = backend_private(backend)->balance;
	unsigned avoided = UINT32_MAX;
	(void)ret_wanted;
	place_table_refresh(&turn->table);
	if (!list_is_empty(&backend_private(backend)->waiters) && choice->ticket == CHOICE_NEW)
		return NULL;
	for (unsigned i = 0; i < turn->table.count; i++) {
		unsigned place = (turn->next + i) % turn->table.count;
		const struct server *server = place_table_server(&turn->table, place);
		if (!server_is_open(server, choice))
			continue;
		if (server != choice->avoid)
			return turn_take(turn, place);
		avoided = avoided == UINT32_MAX ? place : avoided;
	}
	return avoided != UINT32_MAX ? turn_take(turn, avoided) : NULL;
}
