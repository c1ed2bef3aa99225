/* What the files of the sockmap engine share.
 *
 * A pair is a relay whose sockets are in the worker's table (bpf/sockmap.h); a way is one
 * direction of it, from the moment it enters until another engine has it:
 *
 *   PASSING      the programs pass every byte, and copy's code relays it, once what was
 *                redirected before is in the target
 *   REDIRECTING  the kernel moves the bytes; only an end or a record wakes this process
 *   LEFT         out of the table, for another engine, once nothing is held
 *   ENDED        the source has ended and all before that was delivered */
#pragma once

#include "bpf/sockmap.h"
#include "relay/engine.h"

enum sockmap_stage {
	SOCKMAP_STAGE_NONE, /* another engine's, or nobody's: its target is gone */
	SOCKMAP_STAGE_PASSING,
	SOCKMAP_STAGE_REDIRECTING,
	SOCKMAP_STAGE_LEFT,
	SOCKMAP_STAGE_ENDED,
};

struct sockmap_way {
	struct list leaving_node; /* in the worker's, while it is to leave */
	uint64_t counted; /* of the bytes redirected, those that the relay has counted */
	uint64_t passing_since_ms; /* without having caught up */
	uint64_t window_ms; /* when `brakes` began to count */
	uint64_t end_seen_ms; /* recv() spoke of an end with bytes unread; 0: it has not */
	uint32_t refusals_counted[SOCKMAP_CAUSES];
	uint32_t crowded_seen; /* refusals for want of room, up to the last brake */
	int clamp; /* the source's, while it is hushed */
	uint8_t stage; /* enum sockmap_stage */
	uint8_t brakes;
	uint8_t leaves_tried;
	uint8_t source_error; /* errno of a source that failed with bytes unread */
	bool is_drained; /* nothing redirected waits, and nothing is redirected */
	bool is_leaving, is_hushed;
};

struct sockmap_pair {
	struct list node; /* the worker's, free or used */
	struct sockmap_worker *worker;
	struct relay *relay; /* NULL: free */
	struct loop_timer retry_timer;
	unsigned index;
	unsigned looks; /* in a row for a direction to drain */
	int fds[RELAY_SIDES];
	struct sockmap_way ways[RELAY_SIDES];
};

struct sockmap_worker {
	struct sockmap_table *table;
	struct loop *loop;
	struct relay_worker *relay_worker;
	struct sockmap_pair *pairs;
	struct list free, used, leaving;
	struct loop_watch events_watch;
	struct loop_timer sweep_timer, leave_timer;
};

/* sockmap_pair.c: which relays are in the table. */

int sockmap_pairs_init(struct sockmap_worker *worker) MUST_USE;
/* Every pair must be free. */
void sockmap_pairs_release(struct sockmap_worker *worker);
/* Puts the direction in, PASSING. */
enum sockmap_reason sockmap_pair_enter(
	struct sockmap_worker *worker, struct relay *relay, enum relay_side from) MUST_USE;
/* It is no way any more; with the last one the pair goes out of the table. */
void sockmap_pair_leave(struct relay *relay, enum relay_side from);
/* NULL: the direction is none. */
struct sockmap_way *sockmap_way_of(const struct relay *relay, enum relay_side from);
void sockmap_way_sample(struct relay *relay, enum relay_side from);
/* Looks again soon. */
void sockmap_pair_retry(struct relay *relay, enum relay_side from);

static inline struct sockmap_pair *sockmap_pair_of(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].flow;
}
static inline struct sockmap_table *sockmap_table_of(const struct relay *relay, enum relay_side from)
{
	return sockmap_pair_of(relay, from)->worker->table;
}
/* The way's number in the table. */
static inline unsigned sockmap_number_of(const struct relay *relay, enum relay_side from)
{
	return sockmap_pair_of(relay, from)->index << 1 | from;
}

/* sockmap_leaving.c: ways that go out of the table while their relays go on. */

void sockmap_leaving_init(struct sockmap_worker *worker);
/* It is LEFT as soon as that can be; many at once, as it is dear. */
void sockmap_leaving_add(struct relay *relay, enum relay_side from);
void sockmap_leaving_remove(struct sockmap_way *way, int source_fd);
