/* What the files of the wire engine share. */
#pragma once

#include "relay/engine.h"
#include "relay/wire_hub.h"

struct mnl_socket;

enum wire_stage {
	WIRE_STAGE_WATCH,
	WIRE_STAGE_BARRIER,
	WIRE_STAGE_DRAIN,
	WIRE_STAGE_ACTIVE,
	WIRE_STAGE_PARKED,
};

/* A worker's share of the engine. */
struct wire_worker {
	struct wire_hub *hub;
	struct mnl_socket *routes;
	struct list carried; /* entries from WATCH to ACTIVE */
	struct list parked; /* the oldest first */
	unsigned parked_count;
	struct loop *loop;
	struct loop_timer sweep_timer;
};

/* What a relay looks like to the programs; by leg, the client's first. */
struct wire_offer {
	struct wire_leg legs[RELAY_SIDES];
	struct wire_route routes[RELAY_SIDES];
};

/* wire_offer.c: whether the relay could be spliced as its sockets are now.  Returns
 * WIRE_NO_REASON and fills the offer, or why not. */
/* The same question for a relay that is carried, after routes have changed; how the packets
 * of each leg leave now. */
void wire_offer_reroute(struct wire_entry *entry, const struct wire_worker *worker);
enum wire_reason wire_offer_make(
	const struct relay *relay, const struct wire_worker *worker, struct wire_offer *ret_offer);

static inline struct wire_table *wire_entry_table(const struct wire_entry *entry)
{
	return wire_hub_table(entry->hub);
}

/* wire_entry.c: out of the table, and back to the hub. */
void wire_entry_free(struct wire_entry *entry);
/* The connection is over: holds its ports for a while, then releases itself. */
void wire_entry_park(struct wire_worker *worker, struct wire_entry *entry);
/* Closes a parked entry's sockets without a word, and frees it. */
void wire_entry_release(struct wire_worker *worker, struct wire_entry *entry);
/* Resets both far hosts at once; whatever they still send is answered by the stack, which
 * knows the connection no more. */
void wire_entry_kill(struct wire_entry *entry);

/* wire_carried.c: as relay_sample() and relay_packets() say. */
void wire_sample(struct relay *relay);
struct relay_packets wire_packets(const struct relay *relay, enum relay_side from);
/* Reports what the packets have shown of the ends; the relay may be over after it. */
void wire_ends_look(struct wire_entry *entry);
/* A reset went to a socket while the hand-over ended, perhaps when nobody watched it any more:
 * then the relay is over after it. */
bool wire_sockets_look(struct wire_entry *entry);
/* A while after a reset was seen. */
void wire_reset_look(struct wire_entry *entry);
/* The relay ends during the hand-over: what was forwarded and acknowledged counts, too. */
void wire_forwarded_count(struct wire_entry *entry);
