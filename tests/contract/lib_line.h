/* The bench that the engines' contract is tested on.
 *
 * A rig is one worker on one loop; a line is one relay of it between real sockets.
 * The test itself plays both far ends between the loop's passes.  What a far end
 * sends is a pattern in which every word tells its place, so a byte that is lost,
 * repeated or moved is found where it happens.  After each pass the limits and the
 * bookkeeping of every line are checked.  All checks fail the running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "relay/engine.h"
#include "relay/relay.h"

enum family { FAMILY_TCP4, FAMILY_TCP6, FAMILY_UNIX };

struct rig_limits {
	uint32_t buffer_bytes, pipe_bytes, pipes_max;
	uint64_t held_bytes_max;
	uint32_t wake_bytes;
	uint32_t ring_bytes; /* 0: roomy */
};

struct rig {
	const char *engine; /* asked for in both directions */
	enum family family;
	bool is_in_lab; /* far ends are on hosts of their own */
	struct wire_hub *wire;
	struct rig_limits limits;
	struct loop *loop;
	struct relay_worker worker;
	struct list lines;
	uint64_t random;
	uint64_t deadline_ms;
	uint64_t moved, moved_before; /* bytes that far ends wrote and read: tells progress */
	unsigned idle_steps;
	uint64_t bytes_total, moves_total, lines_ever; /* of lines closed */
	uint8_t fds_before[1024];
};

/* One of a line's two far ends. */
struct far {
	int fd;
	struct loop_watch watch; /* wakes the loop when the test may go on */
	uint64_t seed; /* of what it sends */
	uint64_t sent, received;
	uint64_t acknowledged; /* when it was reset: what the near socket surely had */
	bool has_finished; /* sent its FIN */
	bool is_reset; /* closed with a reset; on unix sockets closed */
	bool has_seen_end, has_seen_reset;
};

struct line {
	struct list node;
	struct rig *rig;
	struct relay relay;
	const char *engines[RELAY_SIDES];
	int near[RELAY_SIDES];
	struct far far[RELAY_SIDES];
	uint32_t prefix_bytes;
	unsigned half_closes[RELAY_SIDES];
	unsigned failures[RELAY_SIDES]; /* told while the rest was still under way */
	unsigned ends;
	enum relay_outcome outcome;
	enum relay_side broken_side;
	bool is_stopped;
	bool has_parted;
	bool stops_on_half_close; /* the owner calls relay_stop() in the callback */
};

/* What this kernel allows, with what the engine itself tries. */
void rig_facts(struct kernel_facts *ret_facts, const char *engine);
/* The table of the sockmap engine; NULL: *ret_refusal, which may be NULL, says why there is none. */
struct sockmap_table *rig_sockmap(const char **ret_refusal);
/* limits may be NULL. */
void rig_open(struct rig *rig, const char *engine, const char *loop, enum family family,
	const struct rig_limits *limits);
/* Closes what lines are left; then nothing may be left of anything. */
void rig_close(struct rig *rig);
/* Cases ran on wire, and it took over nothing. */
bool rig_wire_has_failed_to_carry(void);
bool rig_is_tcp(const struct rig *rig);
/* Whether the engine that was asked for is `name`. */
bool rig_asks(const struct rig *rig, const char *name);
/* One pass, checked.  Waits up to wait_ms for something to happen. */
void rig_pass(struct rig *rig, int wait_ms);
/* A pass that waits only when no far end moved a byte since the one before. */
void rig_step(struct rig *rig);
/* Passes until nothing moves any more. */
void rig_settle(struct rig *rig);
uint64_t rig_random(struct rig *rig, uint64_t below);
/* 1 to 2^bits_max, each magnitude as likely as the others. */
size_t rig_random_size(struct rig *rig, unsigned bits_max);

/* Connects the four sockets; socket_bytes: their buffers, 0 for the system's. */
void line_connect(struct line *line, struct rig *rig, uint32_t socket_bytes);
/* Callback of the far ends' watches. */
void line_on_far_ready(struct loop_watch *watch, unsigned events);
/* With fresh watches. */
void line_start(struct line *line);
void line_start_options(const struct line *line, struct relay_start_options *ret_options);
void line_open(struct line *line, struct rig *rig);
/* relay_stop(), and the sockets are closed as the owner must. */
void line_stop(struct line *line);
void line_close(struct line *line);
/* Gives the near sockets to the engine if it keeps them, else closes them.  Idempotent. */
void line_near_close(struct line *line, bool is_reset);
/* The relay holds nothing and is in no list. */
void line_check_let_go(const struct line *line);
/* Whether all that the other side sent has arrived at this one. */
bool line_is_delivered(const struct line *line, enum relay_side side);
void line_print(const struct line *line);

/* Writes up to len bytes of the pattern; returns how many went, 0: held back. */
size_t far_write(struct line *line, enum relay_side side, size_t len);
/* The same; the last byte is urgent.  All of it must go. */
void far_write_urgent(struct line *line, enum relay_side side, size_t len);
/* Reads up to len bytes and compares them; returns how many came. */
size_t far_read(struct line *line, enum relay_side side, size_t len);
/* Sends the end of its stream. */
void far_finish(struct line *line, enum relay_side side);
/* Goes away at once; a reset where the family has it. */
void far_reset(struct line *line, enum relay_side side);
/* close(2), with the kernel's own idea of how. */
void far_close(struct line *line, enum relay_side side);

/* Writes all len bytes, passing; the far end opposite reads nothing. */
void line_send(struct line *line, enum relay_side from, uint64_t len);
/* Writes until nothing more is taken.  Returns the bytes. */
uint64_t line_saturate(struct line *line, enum relay_side from);
/* Passes until `side` has read all that was sent to it. */
void line_receive(struct line *line, enum relay_side side);
/* Passes until `side` has read all and the end after it. */
void line_receive_end(struct line *line, enum relay_side side);
/* Passes until the relay has ended. */
void line_await_end(struct line *line, enum relay_outcome outcome);
/* Both far ends finish, and the relay ends in order. */
void line_finish(struct line *line);
/* Random chunks both ways until `total` bytes from each side have arrived. */
void line_exchange(struct line *const *lines, unsigned count, uint64_t total, unsigned chunk_bits);
