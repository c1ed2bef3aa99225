/* What the kinds of place tables have in common. */
#include "backend/place_table.h"

#include "base/check.h"

static const struct place_table_kind *kind_of(enum config_hash_type type)
{
	switch (type) {
	case CONFIG_HASH_MAP_BASED:
		return &place_map;
	case CONFIG_HASH_CONSISTENT:
		return &place_ring;
	case CONFIG_HASH_MAGLEV:
		return &place_maglev;
	}
	CHECK(false);
}

int place_table_init(struct place_table *table, enum config_hash_type type, struct backend *backend)
{
	*table = (struct place_table){.kind = kind_of(type), .backend = backend, .is_stale = true};
	return table->kind->create(table);
}

void place_table_release(struct place_table *table)
{
	if (table->kind)
		table->kind->destroy(table);
	table->kind = NULL;
}

void place_table_refresh(struct place_table *table)
{
	if (!table->is_stale || backend_private(table->backend)->members == 0)
		return;
	if (table->kind->build(table) == 0)
		table->is_stale = false;
}

/* The point nearest to the number on a ring of 2^32, the one before it when two are
 * as near. */
static unsigned nearest_point(const struct place_table *table, uint32_t number)
{
	unsigned low = 0, high = table->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (table->points[middle] >> 32 < number)
			low = middle + 1;
		else
			high = middle;
	}
	unsigned after = low < table->count ? low : 0;
	unsigned before = after > 0 ? after - 1 : table->count - 1;
	uint32_t to_before = number - (uint32_t)(table->points[before] >> 32);
	uint32_t to_after = (uint32_t)(table->points[after] >> 32) - number;
	return to_before <= to_after ? before : after;
}

unsigned place_table_find(const struct place_table *table, uint32_t number)
{
	CHECK(table->count > 0);
	return table->points ? nearest_point(table, number) : number % table->count;
}
