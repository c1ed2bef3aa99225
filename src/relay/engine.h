/* One way of moving bytes between two connected sockets.
 *
 * A relay has two directions, each carried by one engine at a time.  From start()
 * until stop() or discard() an engine is the only reader of the direction's
 * source and the only writer of its target.  It keeps order, loses nothing,
 * reports the source's end once, after all before it was delivered, and bounds
 * what it holds.
 *
 * Most engines are pumps: advance() is called when a socket became ready and does a
 * bounded amount of work, the oldest bytes first.  A takeover carries both directions of
 * a relay without this process, once pumps have brought it to where that can begin; it
 * reports ends by itself and gives nothing back. */
#pragma once

#include "relay/relay_worker.h"

enum engine_progress {
	ENGINE_WAITING, /* needs an edge: the source is empty or the target full */
	ENGINE_MORE, /* its budget is used up: call again next pass */
	ENGINE_SOURCE_ENDED, /* the source gave EOF; nothing is held */
	ENGINE_FAILED, /* *ret_failure says where; a failed source leaves nothing held */
	ENGINE_REFUSED, /* cannot carry the direction now (no pipe); nothing is held, copy must */
};

struct engine_failure {
	enum relay_side side; /* whose socket failed; meaningless with ENOMEM */
	int error; /* positive errno */
};

/* What advance() returns when a socket broke, or (ENOMEM) bytes could not be kept. */
static inline enum engine_progress engine_fail(
	struct engine_failure *ret_failure, enum relay_side side, int error)
{
	ret_failure->side = side;
	ret_failure->error = error;
	return ENGINE_FAILED;
}

/* What this kernel allows, found by trying. */
struct kernel_facts {
	int splice_error; /* 0: a TCP socket can be spliced through a pipe */
	const char *wire_refusal; /* NULL: the worker has the programs of wire */
	const char *sockmap_refusal; /* NULL: the worker has the table of sockmap */
	unsigned pipe_bytes_max; /* the largest pipe that was granted */
	const char *ring_refusal; /* NULL: a ring can receive into buffers shared by connections */
};

struct relay_takeover {
	/* After a run of the pumps, while the relay runs and is not carried: prepares.  When the
	 * sockets have no part any more it calls relay_takeover_enter(). */
	void (*prepare)(struct relay *relay);
	/* The pumps were let go of: what has not gone too far is undone. */
	void (*leave)(struct relay *relay);
	/* As relay_part() and relay_sample() say. */
	bool (*part)(struct relay *relay, bool is_reset);
	void (*sample)(struct relay *relay);
	struct relay_packets (*packets)(const struct relay *relay, enum relay_side from);
};

struct relay_engine {
	const char *name; /* as written in the configuration */
	const char *summary; /* one sentence for the manual */

	/* NULL if usable here, else why not, in words for the operator (static). */
	const char *(*unavailable)(const struct kernel_facts *facts);
	/* Per worker: private state, kept in worker->engine_states.  Return 0 or -errno. */
	int (*open)(struct relay_worker *worker, void **ret_state);
	void (*close)(struct relay_worker *worker, void *state);

	enum engine_progress (*advance)(
		struct relay *relay, enum relay_side from, struct engine_failure *ret_failure);
	/* Throws away what is held (its target is gone) and lets go of everything. */
	void (*discard)(struct relay *relay, enum relay_side from);
	/* Whether it holds nothing, so that another engine may take the direction over. */
	bool (*is_clean)(const struct relay *relay, enum relay_side from);
	/* After a refusal: whether it could take directions again.  NULL: always. */
	bool (*has_room)(const struct relay_worker *worker);
	/* Named in the configuration: whether it wants others to carry the direction now.  NULL: never. */
	bool (*declines)(const struct relay *relay, enum relay_side from);
	/* Brings bytes and times of activity up to date.  NULL: they are. */
	void (*sample)(struct relay *relay, enum relay_side from);
	bool takes_urgent; /* carries a stream with urgent data in it */
	/* NULL for a pump; a takeover has none of the three before. */
	const struct relay_takeover *takeover;
};

/* In order of preference, NULL-terminated; the last one is always available. */
extern const struct relay_engine *const relay_engines[];
extern const struct relay_engine relay_engine_copy, relay_engine_sockmap, relay_engine_splice,
	relay_engine_uring, relay_engine_wire;

const struct relay_engine *relay_engine_find(const char *name);
unsigned relay_engine_index(const struct relay_engine *engine);
/* Names for the configuration: "auto" first, NULL-terminated. */
const char *const *relay_engine_names(void);

/* For a worker on that loop; NULL: for any that the kernel would allow. */
void kernel_facts_probe(const struct loop *loop, struct kernel_facts *ret_facts);
/* ring_probe.c: the same for the ring alone. */
const char *relay_ring_refusal(const struct loop *loop);

/* For engines: bytes were taken from the source / accepted by the target. */
void relay_note_read(struct relay *relay, enum relay_side from);
void relay_note_written(struct relay *relay, enum relay_side from, uint32_t bytes);
/* The kernel moved bytes from the source to the target, the last at that time. */
void relay_note_carried(struct relay *relay, enum relay_side from, uint64_t bytes, uint64_t at_ms);
/* The source failed while bytes from it are still held; the caller returns
 * ENGINE_SOURCE_ENDED once they are delivered. */
void relay_note_source_failed(struct relay *relay, enum relay_side from, int error);
/* For takeovers.  A direction that holds bytes hands these on before it reads more, or not. */
void relay_takeover_flush(struct relay *relay, bool is_flushing);
/* Both directions are carried from now on: the pumps let go, the sockets
 * are no longer watched. */
void relay_takeover_enter(struct relay *relay);
/* The source has ended and its target knows. */
void relay_takeover_half_closed(struct relay *relay, enum relay_side from);
/* It is over; as on_end says.  `error` is that of the broken side. */
void relay_takeover_finish(struct relay *relay, enum relay_outcome outcome, enum relay_side side, int error);
/* Copies bytes that the target must get first into a held copy buffer.  Returns 0 or -ENOMEM. */
int relay_copy_hold(struct relay *relay, enum relay_side from, const void *bytes, uint32_t len) MUST_USE;

/* auto.c: the engine that the direction should have now, and why; maybe the one it has. */
const struct relay_engine *relay_auto_choose(
	const struct relay *relay, enum relay_side from, enum move_reason *ret_reason);
/* auto.c: whether the relay is worth a takeover now. */
bool relay_auto_wants_takeover(const struct relay *relay);
/* auto.c: one read brought so many bytes of at most so many. */
void relay_auto_learn(struct relay_direction *direction, uint32_t bytes);
