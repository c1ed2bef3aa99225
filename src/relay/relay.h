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

struct relay_batch;
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
	struct relay_batch *batch; /* set while it is woken for many bytes only */
	void *held; /* engine's: a buffer or pipe while bytes are stuck */
	void *flow; /* uring's or sockmap's, as long as it has the direction */
	uint64_t since_ms; /* when its engine got it */
	uint64_t away_until_ms; /* the engine wanted is not to be tried before */
	uint32_t held_start, held_end;
	uint32_t flow_bytes; /* since the last pause, while there is no batch */
	uint32_t queued; /* on their way to the target in the kernel, by the last sample */
	uint16_t moves; /* times the engine was changed */
	uint8_t bulk_score; /* auto: evidence for bulk */
	uint8_t batch_misses; /* batches in a row that were not worth it */
	uint8_t move_reason; /* enum move_reason: of the last change */
	uint8_t away_reason; /* enum sockmap_reason: why it is not with the engine wanted */
	uint8_t away_tries;
	bool is_ended; /* the source's end was passed on, or the target is gone */
	bool may_read : 1; /* last known readiness of the source */
	bool may_write : 1; /* and of the target */
	bool was_refused : 1; /* its engine could not have it */
	bool is_blocked : 1; /* bytes wait for the target: the source cannot be active */
	bool is_target_shut : 1; /* while carried: it has said that it has room for nothing */
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
	/* An engine that can carry both directions without this process, or NULL; and what it
	 * keeps of the relay while it prepares to, does, or has done so. */
	const struct relay_engine *takeover;
	void *taken;
	uint64_t takeover_due_ms; /* not to be tried before */
	uint32_t prefix_left; /* of what the server was owed before the client's bytes */
	uint16_t turns; /* runs with something to do, up to its maximum */
	uint8_t takeover_tries;
	uint8_t takeover_reason; /* enum wire_reason: why it does not carry the relay */
	bool is_takeover_named : 1; /* in the configuration; else by what the flow does */
	bool is_flushing : 1; /* a direction that holds bytes reads no more until it holds none */
	bool is_carried : 1; /* the engines of both directions are the takeover */
	bool is_running : 1;
};

/* Why a relay ended. */
enum relay_outcome {
	RELAY_FINISHED, /* both directions ended in order */
	RELAY_BROKEN, /* ends[side].error says why; what that side had sent was handed on */
	RELAY_NO_MEMORY, /* bytes were taken and could not be kept: both sides must be reset */
};

struct relay_start_options {
	int fds[RELAY_SIDES];
	bool is_local[RELAY_SIDES]; /* the socket is a unix one */
	bool is_fast_open[RELAY_SIDES]; /* connects with its first bytes (TCP_FASTOPEN_CONNECT) */
	unsigned ready[RELAY_SIDES]; /* loop events already seen on live watches, without LOOP_FAILED */
	const char *engines[RELAY_SIDES]; /* by source; NULL or "auto": by what the flow does */
	const void *prefix; /* owed to the server before the client's bytes, not counted with them; copied */
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

/* After the end, before the owner closes the sockets: true when the engine keeps both and
 * says the farewell itself, a reset to each side unless the connection has ended; the
 * descriptors are then its own. */
bool relay_part(struct relay *relay, bool is_reset) MUST_USE;

/* Brings bytes and times of activity up to date, which engines in the kernel keep. */
void relay_sample(struct relay *relay);
/* What an engine that sees packets has seen from a side by the last sample; else zeros. */
struct relay_packets {
	uint64_t packets, retransmits;
};
struct relay_packets relay_packets(const struct relay *relay, enum relay_side from);
/* Why the direction is not with the engine that the configuration names, in words; "". */
const char *relay_away_words(const struct relay *relay, enum relay_side from);
/* Why no engine in the kernel carries the relay, in words; "" when one does or none was tried. */
const char *relay_takeover_words(const struct relay *relay);

/* `from` cannot be expected to send, for its target does not take what it has sent. */
static inline bool relay_is_blocked(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].is_blocked && !relay->directions[from].is_ended;
}

/* Bytes taken from `from` that its target has not accepted yet. */
uint32_t relay_held_bytes(const struct relay *relay, enum relay_side from);
const char *relay_engine_name(const struct relay *relay, enum relay_side from);
