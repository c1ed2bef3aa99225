/* What a worker's relays share: sizes, engines, counters. */
#pragma once

#include "bpf/shared/sockmap.h"
#include "metrics/counters.h"
#include "relay/move_reason.h"
#include "relay/relay.h"
#include "relay/sockmap_reason.h"
#include "relay/wire_reason.h"

struct sockmap_table;
struct wire_hub;

/* Per engine and worker, summed for show relay and metrics. */
struct relay_engine_counters {
	counter directions_ever, directions_now, bytes, moves_in, refusals;
	counter packets, retransmits; /* of engines that see packets */
	counter moves[MOVE_REASONS]; /* moves_in, by why */
};

enum { RELAY_ENGINES_MAX = 8 };

struct relay_worker_options {
	struct loop *loop;
	uint32_t buffer_bytes; /* one read of the copy engine */
	uint32_t pipe_bytes;
	uint32_t pipes_max;
	uint32_t ring_bytes; /* the uring engine's receive buffers, of all relays of the worker */
	uint32_t wake_bytes; /* a flow that never pauses wakes for so many; 0: for every byte */
	uint64_t held_bytes_max; /* in copy buffers, all relays of the worker */
	struct wire_hub *wire; /* NULL: wire_refusal says why, in words that outlive the worker */
	const char *wire_refusal;
	unsigned wire_parked_max; /* spliced connections that linger after their end */
	struct sockmap_table *sockmap; /* the worker's own; NULL: sockmap_refusal says why */
	const char *sockmap_refusal; /* in words that outlive the worker */
	/* All on the loop's thread.  on_half_closed: `from` has ended and that was
	 * passed on.  on_side_failed: the side broke, what it had sent is still being
	 * delivered; only on_end follows.  on_end comes exactly once, last; the relay then
	 * holds nothing and no longer watches the sockets.  After RELAY_BROKEN the owner
	 * may keep them; otherwise, and after relay_stop(), it closes them within the same
	 * pass. */
	/* wire would take connections like this one if clients were announced this window scale
	 * at most.  May be NULL. */
	void (*on_window_scale)(struct relay *relay, unsigned scale_max);
	void (*on_half_closed)(struct relay *relay, enum relay_side from);
	void (*on_side_failed)(struct relay *relay, enum relay_side side);
	void (*on_end)(struct relay *relay, enum relay_outcome outcome, enum relay_side side);
};

/* What a worker's relays share. */
struct relay_worker {
	struct relay_worker_options options;
	struct relay_engine_counters engines[RELAY_ENGINES_MAX]; /* by place in relay_engines */
	void *engine_states[RELAY_ENGINES_MAX]; /* NULL and a reason: unavailable */
	const char *engine_refusals[RELAY_ENGINES_MAX]; /* NULL: available here */
	char *shared_buffer;
	uint64_t held_bytes; /* in private copy buffers now; readable from any thread */
	uint32_t pipes_used, pipes_made;
	counter wire_refusals[WIRE_REASONS];
	counter sockmap_refusals[SOCKMAP_REASONS];
	counter sockmap_brakes[SOCKMAP_CAUSES]; /* packets that were passed instead of redirected */
	counter sockmap_pairs; /* in the table now */
	counter wire_false_resets; /* that the receiver did not believe */
	counter lean_reads; /* made with no room left to keep what the target may refuse */
};

/* Opens every engine this kernel allows.  Returns 0 or -ENOMEM. */
int relay_worker_init(struct relay_worker *worker, const struct relay_worker_options *options) MUST_USE;
/* Every relay must have ended. */
void relay_worker_release(struct relay_worker *worker);
