/* Being woken for many bytes at a time.
 *
 * A direction in full flow sets SO_RCVLOWAT on its source: the kernel then wakes
 * the worker when so many bytes have come, not for each segment, and the target is
 * woken less often too.  An end or an error wakes at once, as ever (tcp_data_ready()
 * in net/ipv4/tcp_input.c).  What is there when the flow pauses would lie there for
 * ever, so a direction whose source was silent for BATCH_WAIT_US is woken for every
 * byte again, and has to qualify anew. */
#pragma once

#include "base/pool.h"
#include "loop/loop.h"
#include "relay/relay_worker.h"

struct relay_batches {
	struct loop *loop;
	struct loop_hook hook;
	struct pool pool;
	struct list waiting; /* the longest without bytes first */
	uint32_t wake_bytes; /* 0: never */
};

void relay_batches_init(struct relay_batches *batches, struct loop *loop, uint32_t wake_bytes);
/* Every batch must have ended. */
void relay_batches_release(struct relay_batches *batches);
/* One turn of the engine took so many bytes from the source, a TCP socket. */
void relay_batch_note(
	struct relay_batches *batches, struct relay *relay, enum relay_side from, uint32_t bytes);
/* Wakes for every byte again.  Idempotent. */
void relay_batch_end(struct relay_batches *batches, struct relay *relay, enum relay_side from);
