/* Which directions are woken for many bytes, since when, and the look after them. */
#include "relay/batch.h"

#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"

enum {
	/* Long beside the time in which a fast flow brings wake_bytes, short beside the
	 * time that a flow which qualifies has taken already. */
	BATCH_WAIT_US = 250,
	/* A direction qualifies with so many times wake_bytes in turns that each brought
	 * more than a QUIET_SHARE-th of it. */
	FLOW_SHARE = 16,
	QUIET_SHARE = 16,
	/* It needs twice as many after each batch that a pause ended before so much had
	 * come again: large answers with a question between each look like a flow. */
	MISSES_MAX = 6,
};

struct relay_batch {
	struct list node;
	struct relay *relay;
	uint64_t read_us; /* when bytes came last */
	uint64_t bytes;
	enum relay_side from;
};

static uint64_t flow_bytes_min(const struct relay_batches *batches, const struct relay_direction *direction)
{
	return (uint64_t)batches->wake_bytes * FLOW_SHARE << direction->batch_misses;
}

/* Fails only for a socket that is dead, and that wakes us anyway. */
static bool wake_bytes_set(struct relay *relay, enum relay_side from, uint32_t bytes)
{
	int value = (int)bytes;
	return setsockopt(relay->ends[from].watch.fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0;
}

static void batch_begin(struct relay_batches *batches, struct relay *relay, enum relay_side from)
{
	struct relay_batch *batch = pool_get(&batches->pool);
	if (batch == NULL)
		return;
	if (!wake_bytes_set(relay, from, batches->wake_bytes)) {
		pool_put(&batches->pool, batch);
		return;
	}
	batch->relay = relay;
	batch->from = from;
	batch->read_us = clock_monotonic_us();
	list_add(&batches->waiting, &batch->node);
	relay->directions[from].batch = batch;
	loop_hook_set(batches->loop, &batches->hook);
}

void relay_batch_end(struct relay_batches *batches, struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	struct relay_batch *batch = direction->batch;
	direction->flow_bytes = 0;
	if (batch == NULL)
		return;
	direction->batch = NULL;
	list_remove(&batch->node);
	pool_put(&batches->pool, batch);
	if (list_is_empty(&batches->waiting))
		loop_hook_set(batches->loop, NULL);
	(void)wake_bytes_set(relay, from, 1);
}

static void flow_note(struct relay_direction *direction, uint32_t bytes, uint32_t wake_bytes)
{
	if (bytes < wake_bytes / QUIET_SHARE)
		direction->flow_bytes = 0;
	else if (direction->flow_bytes < UINT32_MAX - bytes)
		direction->flow_bytes += bytes;
}

void relay_batch_note(
	struct relay_batches *batches, struct relay *relay, enum relay_side from, uint32_t bytes)
{
	struct relay_direction *direction = &relay->directions[from];
	struct relay_batch *batch = direction->batch;
	if (batch == NULL) {
		flow_note(direction, bytes, batches->wake_bytes);
		if (batches->wake_bytes > 0 && direction->flow_bytes >= flow_bytes_min(batches, direction))
			batch_begin(batches, relay, from);
		return;
	}
	if (bytes == 0)
		return;
	batch->bytes += bytes;
	batch->read_us = clock_monotonic_us();
	list_remove(&batch->node);
	list_add(&batches->waiting, &batch->node);
}

/* To be woken for every byte again wakes at once, if there are any. */
static void batch_pause(struct relay_batches *batches, struct relay_batch *batch)
{
	struct relay *relay = batch->relay;
	struct relay_direction *direction = &relay->directions[batch->from];
	if (batch->bytes >= flow_bytes_min(batches, direction))
		direction->batch_misses = 0;
	else if (direction->batch_misses < MISSES_MAX)
		direction->batch_misses++;
	relay_batch_end(batches, relay, batch->from);
}

static void on_pass_end(struct loop_hook *hook)
{
	struct relay_batches *batches = container_of(hook, struct relay_batches, hook);
	uint64_t now_us = clock_monotonic_us();
	while (!list_is_empty(&batches->waiting)) {
		struct relay_batch *batch = container_of(batches->waiting.next, struct relay_batch, node);
		if (now_us - batch->read_us < BATCH_WAIT_US)
			return;
		batch_pause(batches, batch);
	}
}

void relay_batches_init(struct relay_batches *batches, struct loop *loop, uint32_t wake_bytes)
{
	*batches = (struct relay_batches){
		.loop = loop,
		.hook = {.run = on_pass_end, .wait_us = BATCH_WAIT_US},
		.wake_bytes = wake_bytes,
	};
	pool_init(&batches->pool, sizeof(struct relay_batch), 0);
	list_init(&batches->waiting);
}

void relay_batches_release(struct relay_batches *batches)
{
	CHECK(list_is_empty(&batches->waiting));
	pool_release(&batches->pool);
}
