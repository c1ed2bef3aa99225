/* Entries of the wire engine: how they are given back, parked, and their connections killed. */

#include <sys/socket.h>

#include "base/check.h"
#include "base/fd.h"
#include "relay/wire_internal.h"

/* A lost last acknowledgement is asked for again by then. */
enum { LINGER_MS = 4000 };

void wire_entry_free(struct wire_entry *entry)
{
	wire_flow_del(wire_entry_table(entry), entry->index, entry->legs);
	loop_timer_cancel(entry->loop, &entry->timer);
	list_remove(&entry->node);
	entry->relay = NULL;
	wire_hub_put(entry->hub, entry);
}

/* With a linger time of none close() resets, and the mode decides whether the reset gets
 * out: CLOSED gives it the numbers that the far host expects, ACTIVE drops it. */
static void sockets_close(struct wire_entry *entry)
{
	const struct linger none = {.l_onoff = 1};
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		if (entry->fds[side] >= 0)
			(void)setsockopt(entry->fds[side], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		fd_close(&entry->fds[side]);
	}
}

void wire_entry_release(struct wire_worker *worker, struct wire_entry *entry)
{
	CHECK(entry->stage == WIRE_STAGE_PARKED);
	sockets_close(entry);
	worker->parked_count--;
	wire_entry_free(entry);
}

void wire_entry_park(struct wire_worker *worker, struct wire_entry *entry)
{
	entry->stage = WIRE_STAGE_PARKED;
	entry->relay = NULL;
	list_remove(&entry->node);
	list_add(&worker->parked, &entry->node);
	loop_timer_set(entry->loop, &entry->timer, loop_now_ms(entry->loop) + LINGER_MS);
	if (++worker->parked_count > entry->worker->options.wire_parked_max)
		wire_entry_release(worker, container_of(worker->parked.next, struct wire_entry, node));
}

/* Both far hosts are told at once, and whatever they still send is answered by the stack,
 * which knows the connection no more. */
void wire_entry_kill(struct wire_entry *entry)
{
	wire_flow_set_mode(wire_entry_table(entry), entry->index, WIRE_CLOSED);
	sockets_close(entry);
	wire_entry_free(entry);
}
