/* Log lines leave from the control thread; workers only append to their own
 * bounded ring.  A full ring drops the line and counts it: traffic never waits
 * for a log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "config/config.h"
#include "loop/loop.h"

struct log_sender;
struct log_ring; /* one writer thread each */

/* On the control thread's loop.  Opens nothing until the first line; a target
 * that cannot be reached is reported once by log_event and retried. */
int log_sender_create(
	struct loop *loop, const struct config_global *global, struct log_sender **ret_sender) MUST_USE;
/* Flushes what is in the rings, then frees sender and rings. */
void log_sender_destroy(struct log_sender *sender);

/* NULL without memory.  Owned by the sender. */
struct log_ring *log_ring_add(struct log_sender *sender);

/* A line for the targets that want its level. */
struct log_message {
	const struct config_log *targets; /* the proxy's list; must outlive the sender */
	enum log_level level;
	const char *tag; /* NULL: the process's */
	const char *text;
	size_t len;
};
/* Writer's thread only; copies.  Lines longer than a target's length_max are cut
 * by the sender. */
void log_ring_write(struct log_ring *ring, const struct log_message *message);

struct log_totals {
	uint64_t lines, dropped, send_errors;
};
void log_sender_totals(const struct log_sender *sender, struct log_totals *ret_totals);
