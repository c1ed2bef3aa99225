/* One relay: two connected sockets and the bytes between them.
 *
 * Embedded in the session.  relay_start() takes both sockets over (the fds stay
 * the session's to close); until relay_on_end no one else reads or writes them.
 * Half-closes are passed on after the data before them.  When one side fails
 * (reset, error) what it had sent before still reaches the other side's socket;
 * then the relay ends and says which side broke. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/status.h"
#include "loop/loop.h"
#include "metrics/counters.h"

struct relay_engine;
struct relay_worker;

enum relay_side { RELAY_CLIENT, RELAY_SERVER };
enum { RELAY_SIDES = 2 };

static inline enum relay_side relay_other(enum relay_side side)
{
	return side == RELAY_CLIENT ? RELAY_SERVER : RELAY_CLIENT;
}

/* Bytes from one side to the other. */
struct relay_direction {
	const struct relay_engine *engine;
	const struct relay_engine *wanted; /* named in the configuration; NULL: by what the flow does */
	uint64_t bytes; /* accepted by the target's socket */
	void *batch; /* set while it is woken for many bytes only */
	void *held; /* engine's: a buffer or pipe while bytes are stuck */
	void *flow; /* uring's, as long as it has the direction */
	uint32_t held_start, held_end;
	uint32_t flow_bytes; /* since the last pause, while there is no batch */
	uint16_t moves; /* times the engine was changed */
	uint8_t bulk_score; /* auto: evidence for bulk */
	uint8_t batch_misses; /* batches in a row that were not worth it */
	bool is_ended; /* the source's end was passed on, or the target is gone */
	bool may_read : 1; /* last known readiness of the source */
	bool may_write : 1; /* and of the target */
	bool was_refused : 1; /* its engine could not have it */
	bool is_blocked : 1; /* bytes wait for the target: the source cannot be active */
};

struct relay_end {
	struct loop_watch watch;
	uint8_t error; /* errno of this side's failure, 0: none */
	bool has_peer_closed : 1; /* FIN seen: a short read is the last */
	bool is_fast_open : 1; /* may still be connecting: its SYN waited for the first bytes */
	bool is_shutdown_due : 1; /* no more bytes come for it; said once it is connected */
	bool has_urgent : 1; /* short reads prove nothing, and only copy will do */
	bool is_local : 1; /* a unix socket: the same for reads, not for splice */
};

struct relay {
	struct relay_end ends[RELAY_SIDES];
	struct relay_direction directions[RELAY_SIDES]; /* by source */
	struct relay_worker *worker;
	struct loop_task task; /* more to do in the next pass */
	/* Loop time of each side's last progress.  It begins anew when bytes begin to wait
	 * for the side, and when its own ones wait no longer. */
	uint64_t active_ms[RELAY_SIDES];
	bool is_running;
};

/* Why a relay ended. */
enum relay_outcome {
	RELAY_FINISHED, /* both directions ended in order */
	RELAY_BROKEN, /* ends[side].error says why; what that side had sent was handed on */
	RELAY_NO_MEMORY, /* bytes were taken and could not be kept: both sides must be reset */
};

/* Per engine and worker, summed for show relay and metrics. */
struct relay_engine_counters {
	counter directions_ever, directions_now, bytes, moves_in, refusals;
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
	/* All on the loop's thread.  on_half_closed: `from` has ended and that was
	 * passed on.  on_side_failed: the side broke, what it had sent is still being
	 * delivered; only on_end follows.  on_end comes exactly once, last; the relay then
	 * holds nothing and no longer watches the sockets.  After RELAY_BROKEN the owner
	 * may keep them; otherwise, and after relay_stop(), it closes them within the same
	 * pass. */
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
	counter lean_reads; /* made with no room left to keep what the target may refuse */
};

/* Opens every engine this kernel allows.  Returns 0 or -ENOMEM. */
int relay_worker_init(struct relay_worker *worker, const struct relay_worker_options *options) MUST_USE;
/* Every relay must have ended. */
void relay_worker_release(struct relay_worker *worker);

struct relay_start_options {
	int fds[RELAY_SIDES];
	bool is_local[RELAY_SIDES]; /* the socket is a unix one */
	bool is_fast_open[RELAY_SIDES]; /* connects with its first bytes (TCP_FASTOPEN_CONNECT) */
	unsigned ready[RELAY_SIDES]; /* loop events already seen on live watches, without LOOP_FAILED */
	const char *engines[RELAY_SIDES]; /* by source; NULL or "auto": by what the flow does */
	const void *prefix; /* owed to the server before the client's bytes; copied */
	uint32_t prefix_bytes;
};

/* Takes the sockets over, which are non-blocking and keep urgent data in the stream
 * (SO_OOBINLINE; it sees to that itself for unix sockets).  A watch in relay->ends that is live already (the owner
 * waited for the connection with it) is kept, its callback replaced; the others
 * are added.  A named engine that is unavailable here gives way to copy, counted.
 * Returns 0 or -errno with nothing taken over. */
int relay_start(
	struct relay *relay, struct relay_worker *worker, const struct relay_start_options *options) MUST_USE;

/* Gives both sockets back at once and throws away what is held; on_end does not
 * follow.  For time-outs, operators and shutdown.  Idempotent. */
void relay_stop(struct relay *relay);

/* `from` cannot be expected to send, for its target does not take what it has sent. */
static inline bool relay_is_blocked(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].is_blocked && !relay->directions[from].is_ended;
}

/* Bytes taken from `from` that its target has not accepted yet. */
uint32_t relay_held_bytes(const struct relay *relay, enum relay_side from);
const char *relay_engine_name(const struct relay *relay, enum relay_side from);
