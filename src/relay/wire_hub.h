/* What all workers share of the wire engine: the table of spliced connections with its
 * entries, the records of the programs, and the waiting for programs that still run. */
#pragma once

#include "base/list.h"
#include "bpf/wire.h"
#include "loop/loop.h"

struct relay;
struct relay_worker;
struct wire_hub;

struct wire_hub_options {
	unsigned entries_max;
	const char *const *interfaces; /* NULL-terminated names; NULL: every Ethernet interface */
	bool has_peer_redirect; /* packets for a veth pair enter its other end at once */
};

/* One place of the table.  A worker owns it from wire_hub_get() to wire_hub_put(). */
struct wire_entry {
	struct list node; /* the hub's, while it is free; then the owner's */
	struct loop *loop; /* the owner's */
	/* On the owner's loop.  `what` holds the state bits of records that came. */
	void (*on_event)(struct wire_entry *entry, unsigned what);
	void (*on_barrier)(struct wire_entry *entry);
	struct loop_message event_message, barrier_message;
	struct wire_entry *next_waiting; /* for the barrier */
	struct wire_hub *hub;
	unsigned index, event_bits;
	bool is_used, is_event_posted, is_barrier_asked; /* under the hub's lock */
	uint8_t stage; /* from here on the owner's own */
	bool has_ended;
	bool has_socket_reset; /* a reset came before the sockets were frozen, and was given to one */
	struct relay *relay;
	struct relay_worker *worker;
	struct loop_timer timer;
	struct wire_leg legs[2];
	int fds[2]; /* parked; -1: none */
	unsigned routes_generation;
	uint64_t since_ms, pause_ms;
	uint64_t reset_ms; /* when a reset was seen, 0: none */
	uint64_t written_before[2]; /* to the leg when mapped: a number of its ack_max's kind */
	uint64_t bytes_before[2], position_before[2]; /* relayed when mapped, and where that is in seq_max */
	uint64_t progress[2], packets_counted[2];
	uint32_t retransmits_counted[2];
};

/* Loads the programs and attaches them.  Needs the rights that wire_table_create() names;
 * later ones are not needed but CAP_BPF and CAP_PERFMON.  Returns 0, or -errno with a
 * sentence in ret_reason of WIRE_REASON_MAX bytes. */
int wire_hub_create(
	const struct wire_hub_options *options, struct wire_hub **ret_hub, char *ret_reason) MUST_USE;
/* No entry may be in use.  NULL is allowed. */
void wire_hub_destroy(struct wire_hub *hub);
/* Begins to serve entries: records are read on the control loop, and a thread waits. */
int wire_hub_start(struct wire_hub *hub, struct loop *control_loop) MUST_USE;
/* After it no message is sent any more.  Idempotent. */
void wire_hub_stop(struct wire_hub *hub);

struct wire_table *wire_hub_table(const struct wire_hub *hub);
/* Whether our programs see what goes through the interface. */
bool wire_hub_carries(const struct wire_hub *hub, unsigned ifindex);
/* How packets leave by an interface that it carries: WIRE_REDIRECT_NEIGH or _PEER. */
enum wire_redirect wire_hub_redirect(const struct wire_hub *hub, unsigned ifindex);
/* In all, and those in use; any thread. */
unsigned wire_hub_entries_max(const struct wire_hub *hub);
unsigned wire_hub_entries_used(const struct wire_hub *hub);
/* Another number after routes have changed; any thread. */
unsigned wire_hub_routes_generation(const struct wire_hub *hub);

/* The entry that has been free for longest; NULL: none.  Any thread. */
struct wire_entry *wire_hub_get(struct wire_hub *hub, struct loop *loop);
/* Gives it back; messages on their way to it are run without effect before it is used
 * again.  From the owner's thread. */
void wire_hub_put(struct wire_hub *hub, struct wire_entry *entry);
/* on_barrier follows when no program runs that began before this call. */
void wire_hub_barrier(struct wire_hub *hub, struct wire_entry *entry);
