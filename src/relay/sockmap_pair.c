/* Which relays are in a worker's table of the socket relay, how they get in and out of it,
 * and what the programs have counted of them. */
#include "relay/sockmap_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"

enum {
	LOOKS_AT_ONCE = 32, /* passes; then there is time between two */
	RETRY_MS = 1,
	SWEEP_MS = 1000,
	SWEEP_MAX = 4096,
	TICK_MS = 10, /* the longest there is */
};

struct sockmap_way *sockmap_way_of(const struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	return pair != NULL ? &pair->ways[from] : NULL;
}

/* --- looking again --- */

static void on_retry(struct loop_timer *timer)
{
	struct sockmap_pair *pair = container_of(timer, struct sockmap_pair, retry_timer);
	loop_task_schedule(pair->worker->loop, &pair->relay->task);
}

/* What waits is with a kernel worker that has only to be scheduled, or without room for long. */
void sockmap_pair_retry(struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	struct loop *loop = pair->worker->loop;
	relay->directions[from].may_read = true;
	if (pair->looks++ < LOOKS_AT_ONCE)
		loop_task_schedule(loop, &relay->task);
	else if (!loop_timer_is_set(&pair->retry_timer))
		loop_timer_set(loop, &pair->retry_timer, loop_now_ms(loop) + RETRY_MS);
}

/* --- in and out --- */

static bool is_connecting(const struct relay_end *end)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	return getsockopt(end->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
		(info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV);
}

static enum sockmap_reason unfit(const struct relay *relay)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		const struct relay_end *end = &relay->ends[side];
		if (end->is_local)
			return SOCKMAP_REASON_LOCAL;
		if (end->has_urgent)
			return SOCKMAP_REASON_URGENT;
		if (end->error != 0 || end->has_peer_closed || relay->directions[side].is_ended)
			return SOCKMAP_REASON_CLOSING;
	}
	return SOCKMAP_NO_REASON;
}

static enum sockmap_reason reason_of(const struct relay *relay, int error)
{
	if (error == -ENOSPC || error == -ENOMEM)
		return SOCKMAP_REASON_FULL;
	if (error == -EINVAL)
		return SOCKMAP_REASON_PROTOCOL;
	if (error != -EOPNOTSUPP)
		return SOCKMAP_REASON_KERNEL;
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (is_connecting(&relay->ends[side]))
			return SOCKMAP_REASON_CONNECTING;
	return SOCKMAP_REASON_PROTOCOL;
}

static void pair_free(struct sockmap_pair *pair)
{
	struct sockmap_worker *worker = pair->worker;
	loop_timer_cancel(worker->loop, &pair->retry_timer);
	pair->relay = NULL;
	list_remove(&pair->node);
	list_add(&worker->free, &pair->node);
	counter_add(&worker->relay_worker->sockmap_pairs, (uint64_t)-1);
}

static enum sockmap_reason pair_add(
	struct sockmap_worker *worker, struct relay *relay, struct sockmap_pair **ret_pair)
{
	if (list_is_empty(&worker->free))
		return SOCKMAP_REASON_FULL;
	struct sockmap_pair *pair = container_of(worker->free.next, struct sockmap_pair, node);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		pair->fds[side] = relay->ends[side].watch.fd;
	int error = sockmap_pair_add(worker->table, pair->index, pair->fds);
	if (error != 0)
		return reason_of(relay, error);
	memset(pair->ways, 0, sizeof(pair->ways));
	pair->relay = relay;
	pair->looks = 0;
	list_remove(&pair->node);
	list_add(&worker->used, &pair->node);
	counter_add(&worker->relay_worker->sockmap_pairs, 1);
	if (!loop_timer_is_set(&worker->sweep_timer))
		loop_timer_set(worker->loop, &worker->sweep_timer, loop_now_ms(worker->loop) + SWEEP_MS);
	*ret_pair = pair;
	return SOCKMAP_NO_REASON;
}

static bool is_unused(const struct sockmap_pair *pair)
{
	return pair->ways[RELAY_CLIENT].stage == SOCKMAP_STAGE_NONE &&
		pair->ways[RELAY_SERVER].stage == SOCKMAP_STAGE_NONE;
}

static void way_begin(struct sockmap_pair *pair, enum relay_side from, const struct sockmap_count *count)
{
	struct sockmap_way *way = &pair->ways[from];
	*way = (struct sockmap_way){
		.stage = SOCKMAP_STAGE_PASSING,
		.passing_since_ms = loop_now_ms(pair->worker->loop),
		.counted = count->redirected,
		.crowded_seen = count->refusals[SOCKMAP_ROOM] + count->refusals[SOCKMAP_QUEUE],
	};
	memcpy(way->refusals_counted, count->refusals, sizeof(way->refusals_counted));
	list_init(&way->leaving_node);
}

enum sockmap_reason sockmap_pair_enter(
	struct sockmap_worker *worker, struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	const struct relay_direction *back = &relay->directions[relay_other(from)];
	struct sockmap_pair *pair = back->engine == &relay_engine_sockmap ? back->flow : NULL;
	struct sockmap_count count;
	enum sockmap_reason reason = unfit(relay);
	if (reason == SOCKMAP_NO_REASON && pair == NULL)
		reason = pair_add(worker, relay, &pair);
	if (reason != SOCKMAP_NO_REASON)
		return reason;
	unsigned number = pair->index << 1 | from;
	int error = sockmap_source_add(worker->table, number, pair->fds[from]);
	if (error != 0) {
		if (is_unused(pair)) {
			sockmap_pair_del(worker->table, pair->index, pair->fds);
			pair_free(pair);
		}
		return error == -EOPNOTSUPP ? SOCKMAP_REASON_CLOSING : reason_of(relay, error);
	}
	sockmap_direction_read(worker->table, number, &count);
	way_begin(pair, from, &count);
	direction->flow = pair;
	/* What came before makes no edge. */
	direction->may_read = true;
	return SOCKMAP_NO_REASON;
}

void sockmap_pair_leave(struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	struct sockmap_way *way = &pair->ways[from];
	sockmap_way_sample(relay, from);
	sockmap_leaving_remove(way, pair->fds[from]);
	way->stage = SOCKMAP_STAGE_NONE;
	relay->directions[from].flow = NULL;
	relay->directions[from].queued = 0;
	if (!is_unused(pair))
		return;
	sockmap_pair_del(pair->worker->table, pair->index, pair->fds);
	pair_free(pair);
}

/* --- what was counted --- */

static void brakes_count(struct sockmap_worker *worker, struct sockmap_way *way, const uint32_t *refusals)
{
	for (unsigned cause = 0; cause < SOCKMAP_CAUSES; cause++) {
		counter_add(&worker->relay_worker->sockmap_brakes[cause],
			refusals[cause] - way->refusals_counted[cause]);
		way->refusals_counted[cause] = refusals[cause];
	}
}

void sockmap_way_sample(struct relay *relay, enum relay_side from)
{
	struct sockmap_way *way = sockmap_way_of(relay, from);
	struct sockmap_count count;
	uint64_t pending;
	if (way == NULL)
		return;
	struct sockmap_table *table = sockmap_table_of(relay, from);
	unsigned number = sockmap_number_of(relay, from);
	sockmap_direction_read(table, number, &count);
	brakes_count(sockmap_pair_of(relay, from)->worker, way, count.refusals);
	/* Of a target that is gone nothing is known any more. */
	if (count.redirected == way->counted || sockmap_direction_pending(table, number, &pending) != 0)
		return;
	relay->directions[from].queued = (uint32_t)pending;
	/* More may have been redirected meanwhile; then it is the next sample's. */
	if (count.redirected < way->counted + pending)
		return;
	uint64_t bytes = count.redirected - pending - way->counted;
	way->counted += bytes;
	/* The programs' clock may be a tick behind. */
	uint64_t now_ms = loop_now_ms(relay->worker->options.loop);
	uint64_t at_ms = count.last_ns / 1000000 + TICK_MS;
	relay_note_carried(relay, from, bytes, at_ms < now_ms ? at_ms : now_ms);
}

/* Keeps the counters fresh. */
static void on_sweep(struct loop_timer *timer)
{
	struct sockmap_worker *worker = container_of(timer, struct sockmap_worker, sweep_timer);
	struct list seen;
	list_init(&seen);
	for (unsigned i = 0; i < SWEEP_MAX && !list_is_empty(&worker->used); i++) {
		struct sockmap_pair *pair = container_of(worker->used.next, struct sockmap_pair, node);
		list_remove(&pair->node);
		list_add(&seen, &pair->node);
		relay_sample(pair->relay);
	}
	list_splice(&worker->used, &seen);
	if (!list_is_empty(&worker->used))
		loop_timer_set(worker->loop, timer, loop_now_ms(worker->loop) + SWEEP_MS);
}

/* --- records --- */

static void on_record(void *ctx, const struct sockmap_event *event)
{
	struct sockmap_worker *worker = ctx;
	struct sockmap_pair *pair = &worker->pairs[event->direction >> 1];
	enum relay_side from = event->direction & 1;
	if (pair->relay == NULL || pair->ways[from].stage == SOCKMAP_STAGE_NONE)
		return;
	pair->relay->directions[from].may_read = true;
	loop_task_schedule(worker->loop, &pair->relay->task);
}

static void on_events_ready(struct loop_watch *watch, unsigned events)
{
	struct sockmap_worker *worker = container_of(watch, struct sockmap_worker, events_watch);
	(void)events;
	(void)sockmap_table_events_read(worker->table);
}

/* --- life --- */

int sockmap_pairs_init(struct sockmap_worker *worker)
{
	unsigned count = sockmap_table_pairs_max(worker->table);
	list_init(&worker->free);
	list_init(&worker->used);
	loop_timer_init(&worker->sweep_timer, on_sweep);
	worker->events_watch.fd = -1;
	worker->pairs = calloc(count, sizeof(*worker->pairs));
	if (worker->pairs == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct sockmap_pair *pair = &worker->pairs[i];
		pair->worker = worker;
		pair->index = i;
		loop_timer_init(&pair->retry_timer, on_retry);
		list_add(&worker->free, &pair->node);
	}
	sockmap_table_set_handler(worker->table, on_record, worker);
	return loop_watch_add(worker->loop, &worker->events_watch, sockmap_table_events_fd(worker->table),
		LOOP_READABLE | LOOP_LEVEL, on_events_ready);
}

void sockmap_pairs_release(struct sockmap_worker *worker)
{
	CHECK(list_is_empty(&worker->used));
	loop_timer_cancel(worker->loop, &worker->sweep_timer);
	loop_watch_remove(worker->loop, &worker->events_watch, false);
	sockmap_table_set_handler(worker->table, NULL, NULL);
	free(worker->pairs);
}
