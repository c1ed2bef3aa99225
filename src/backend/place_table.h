/* A table of places that belong to servers, by which a number finds its server:
 * three ways to share the places out.  Under the backend's lock; made anew before
 * the first use after the members have changed. */
#pragma once

#include "backend/backend_internal.h"

struct place_table;

struct place_table_kind {
	enum config_hash_type type;
	/* Makes table->work and room for the places of all servers as configured. */
	int (*create)(struct place_table *table) MUST_USE;
	void (*destroy)(struct place_table *table);
	/* Shares the places out among the members, of which there is at least one.
	 * -ENOMEM: the table stays as it was. */
	int (*build)(struct place_table *table) MUST_USE;
};

struct place_table {
	const struct place_table_kind *kind;
	struct backend *backend;
	bool is_stale;
	unsigned count; /* of places */
	uint32_t *servers; /* [count] by place: the server's index; NULL for a ring */
	uint64_t *points; /* [count] of a ring, ascending: position << 32 | the server's index */
	void *work; /* private to the kind */
};

/* Returns 0 or -ENOMEM; place_table_release() cleans up after either. */
int place_table_init(struct place_table *table, enum config_hash_type type, struct backend *backend) MUST_USE;
void place_table_release(struct place_table *table);

/* Follows the members.  A table that could not (no memory) has places of servers
 * that are none any more, and lacks new ones. */
void place_table_refresh(struct place_table *table);
/* The place of a number, count > 0. */
unsigned place_table_find(const struct place_table *table, uint32_t number);
static inline struct server *place_table_server(const struct place_table *table, unsigned place)
{
	uint32_t index = table->points ? (uint32_t)table->points[place] : table->servers[place];
	return &table->backend->servers[index];
}

extern const struct place_table_kind place_map, place_ring, place_maglev;
