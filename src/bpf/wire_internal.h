/* What the files of the wire loader share. */
#pragma once

#include <stdbool.h>

#include "bpf/shared/wire_index.h"
#include "bpf/wire.h"

struct wire_bpf; /* the skeleton */
struct ring_buffer;

struct wire_attachment {
	unsigned ifindex; /* 0: free */
	bool is_tcx;
	int link_ingress, link_egress; /* TCX */
};

struct wire_table {
	unsigned magic;
	struct wire_bpf *skeleton;
	int ingress_fd, egress_fd, snapshot_fd;
	int events_map_fd;
	struct wire_pair *pairs;
	unsigned pairs_max;
	struct wire_bucket *buckets;
	unsigned buckets_count;
	uint64_t seed;
	struct ring_buffer *events;
	wire_event_handler *on_event;
	void *event_ctx;
	struct wire_attachment attachments[WIRE_INTERFACES_MAX];
};

/* Programs and maps; wire_load.c.  As wire_table_create() says. */
int wire_load(struct wire_table *table, char *ret_reason) MUST_USE;
void wire_unload(struct wire_table *table);

/* The index; wire_index.c.  Threads may work on it at once, but not with the same leg.  Adding
 * returns 0, -EEXIST, or -ENOSPC when both buckets are full; the pair's addresses are set. */
int wire_index_add(struct wire_table *table, const struct wire_leg *leg, wire_flow_id id) MUST_USE;
/* Absent legs are none to remove. */
void wire_index_del(struct wire_table *table, const struct wire_leg *leg, wire_flow_id id);

/* Aborts unless it is a table.  The key of a leg is as its packets arrive. */
struct wire_table *wire_table_check(struct wire_table *table);
void wire_leg_key4(const struct wire_leg *leg, struct wire_key4 *ret_key);
void wire_leg_key6(const struct wire_leg *leg, struct wire_key6 *ret_key);
