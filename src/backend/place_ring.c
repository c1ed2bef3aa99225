/* The table of consistent hashes: a ring of 2^32 positions on which each server has
 * points, a fixed number of them for each unit of its share, at positions that
 * depend on its id alone.  A server that comes or goes moves only its own points.
 * The points are where HAProxy puts them, so that a client meets the same server
 * behind either. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/hash_function.h"
#include "backend/place_table.h"
#include "base/check.h"

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* Two arrays of points, so that sorting can go from one to the other and back. */
struct ring_work {
	size_t points_max;
	uint64_t *points, *other;
};

static int room_make(struct ring_work *work, size_t count)
{
	if (count <= work->points_max)
		return 0;
	uint64_t *points = malloc(count * sizeof(*points));
	uint64_t *other = malloc(count * sizeof(*other));
	if (!points || !other) {
		free(points);
		free(other);
		return -ENOMEM;
	}
	free(work->points);
	free(work->other);
	work->points = points;
	work->other = other;
	work->points_max = count;
	return 0;
}

static int ring_create(struct place_table *table)
{
	struct ring_work *work = calloc(1, sizeof(*work));
	size_t points = 1;
	if (!work)
		return -ENOMEM;
	table->work = work;
	for (unsigned i = 0; i < table->backend->servers_count; i++)
		points += table->backend->servers[i].weight * SERVER_WEIGHT_SCALE;
	int result = room_make(work, points);
	table->points = work->points;
	return result;
}

static void ring_destroy(struct place_table *table)
{
	struct ring_work *work = table->work;
	if (work) {
		free(work->points);
		free(work->other);
	}
	free(work);
	table->work = NULL;
	table->points = NULL;
}

static size_t points_enter(const struct backend *backend, uint64_t *points)
{
	size_t count = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		uint32_t id = server->config->id ? server->config->id : i + 1;
		uint32_t base = id * SERVER_WEIGHT_MAX * SERVER_WEIGHT_SCALE;
		for (uint32_t point = 0; server->is_member && point < server->share; point++)
			points[count++] = (uint64_t)hash_avalanche(base + point) << 32 | i;
	}
	return count;
}

/* One pass of a radix sort, which keeps the order of equals: by the server's index. */
static void points_sort_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
	size_t starts[DIGITS + 1] = {0};
	for (size_t i = 0; i < count; i++)
		starts[(from[i] >> shift) % DIGITS + 1]++;
	for (unsigned digit = 0; digit < DIGITS; digit++)
		starts[digit + 1] += starts[digit];
	for (size_t i = 0; i < count; i++)
		to[starts[(from[i] >> shift) % DIGITS]++] = from[i];
}

static int ring_build(struct place_table *table)
{
	struct ring_work *work = table->work;
	size_t count = 0;
	for (unsigned i = 0; i < table->backend->servers_count; i++)
		count += table->backend->servers[i].is_member ? table->backend->servers[i].share : 0;
	int result = room_make(work, count);
	if (result < 0)
		return result;
	CHECK(points_enter(table->backend, work->points) == count);
	for (unsigned shift = 32; shift < 64; shift += 2 * DIGIT_BITS) {
		points_sort_digit(work->points, work->other, count, shift);
		points_sort_digit(work->other, work->points, count, shift + DIGIT_BITS);
	}
	table->points = work->points;
	table->count = (unsigned)count;
	return 0;
}

const struct place_table_kind place_ring = {CONFIG_HASH_CONSISTENT, ring_create, ring_destroy, ring_build};
