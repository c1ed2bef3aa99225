/* The things statistics are about, in the order `show stat` lists them, with
 * what only the control thread knows of them: the baselines of `clear counters
 * all` and, for backends, when they went up and down. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/instance.h"

/* Bits, so that a column can name several. */
enum stat_kind { STAT_FRONTEND = 1, STAT_BACKEND = 2, STAT_SERVER = 4, STAT_LISTENER = 8 };

struct stat_object {
	enum stat_kind kind;
	const struct config_proxy *proxy;
	const char *name; /* FRONTEND, BACKEND, the server's or the listener's */
	unsigned id; /* of server or listener in the proxy, else 0 */
	struct frontend *frontend; /* FRONTEND, LISTENER */
	struct listener *listener;
	struct backend *backend; /* BACKEND, SERVER */
	struct server *server;
	struct traffic_counters *counters; /* [workers] */
	unsigned workers;
	struct traffic_counters baseline;
	/* BACKEND */
	bool was_up;
	uint64_t changed_wall_us, down_count, down_us;
};

struct stat_objects {
	struct stat_object *rows;
	size_t count;
};

int stat_objects_create(const struct instance *instance, struct stat_objects *ret_objects) MUST_USE;
void stat_objects_release(struct stat_objects *objects);

/* A counter by its offset in struct traffic_counters, over all workers, since
 * the start or the last `clear counters all`. */
uint64_t stat_object_counter(const struct stat_object *object, size_t offset);
/* The same for fields that are maxima. */
uint64_t stat_object_maximum(const struct stat_object *object, size_t offset);
/* A gauge of another thread. */
static inline uint32_t stat_gauge(const uint32_t *gauge)
{
	return __atomic_load_n(gauge, __ATOMIC_RELAXED);
}
/* A wall time another thread writes. */
uint64_t stat_wall_read(const uint64_t *wall_us);

/* Takes maxima down to what is true now; with is_all counters start over too. */
void stat_object_clear(struct stat_object *object, bool is_all);
/* Once a second: highest rates, and the ups and downs of backends. */
void stat_object_sample(struct stat_object *object, uint64_t now_ms, uint64_t wall_us);
