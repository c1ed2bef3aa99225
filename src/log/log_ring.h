/* A bounded ring of log lines with one writing and one reading thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/log_sender.h"

enum {
	LOG_RING_BYTES = 256 * 1024,
	LOG_LINE_MAX = 16 * 1024, /* longer ones are cut when they are written */
	LOG_TAG_MAX = 64,
};

/* One line as it was written; pointers lead into the ring. */
struct log_line {
	const struct config_log *targets;
	uint64_t wall_us;
	unsigned level;
	const char *tag; /* not terminated; len 0: the process's */
	size_t tag_len;
	const char *bytes;
	size_t len;
};

struct log_cursor {
	uint64_t position, end;
};

/* NULL without memory.  on_wake runs on the loop after the ring was empty. */
struct log_ring *log_ring_create(struct loop *loop, void (*on_wake)(void *context), void *context);
/* Frees it, at once or after a wake-up that is still under way; no writer may be left. */
void log_ring_release(struct log_ring *ring);

void log_ring_link(struct log_ring *ring, struct log_ring *following);
struct log_ring *log_ring_following(const struct log_ring *ring);

/* The reader's: walk from begin() with next(), then give back what was passed. */
struct log_cursor log_ring_begin(const struct log_ring *ring);
bool log_ring_next(const struct log_ring *ring, struct log_cursor *cursor, struct log_line *ret_line);
void log_ring_consume(struct log_ring *ring, const struct log_cursor *cursor);
bool log_ring_is_empty(const struct log_ring *ring);

uint64_t log_ring_dropped(const struct log_ring *ring);
