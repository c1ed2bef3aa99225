/* The relay: readiness in, engines advanced, half-closes and failures passed on.
 * How bytes move is the engines' matter; whose turn it is and when it is over is
 * decided here. */

#include "relay/relay_worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/fd.h"
#include "relay/engine.h"

static void run(struct relay *relay);

/* --- engines of a direction --- */

static struct relay_engine_counters *engine_counters(
	struct relay_worker *worker, const struct relay_engine *engine)
{
	return &worker->engines[relay_engine_index(engine)];
}

static void engine_enter(struct relay *relay, enum relay_side from, const struct relay_engine *engine)
{
	struct relay_engine_counters *counters = engine_counters(relay->worker, engine);
	relay->directions[from].engine = engine;
	relay->directions[from].since_ms = loop_now_ms(relay->worker->options.loop);
	counter_add(&counters->directions_ever, 1);
	counter_add(&counters->directions_now, 1);
}

static void engine_leave(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	if (direction->engine == NULL)
		return;
	if (direction->engine->takeover == NULL)
		direction->engine->discard(relay, from);
	counter_add(&engine_counters(relay->worker, direction->engine)->directions_now, (uint64_t)-1);
}

static void engine_move(
	struct relay *relay, enum relay_side from, const struct relay_engine *engine, enum move_reason reason)
{
	struct relay_direction *direction = &relay->directions[from];
	engine_leave(relay, from);
	engine_enter(relay, from, engine);
	direction->move_reason = (uint8_t)reason;
	counter_add(&engine_counters(relay->worker, engine)->moves_in, 1);
	counter_add(&engine_counters(relay->worker, engine)->moves[reason], 1);
	if (direction->moves < UINT16_MAX)
		direction->moves++;
}

/* Hands the direction to the engine it should have now, between two advances,
 * when nothing is held. */
static void engine_review(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	enum move_reason reason;
	const struct relay_engine *engine = relay_auto_choose(relay, from, &reason);
	if (engine != direction->engine && direction->engine->is_clean(relay, from))
		engine_move(relay, from, engine, reason);
}

void relay_note_read(struct relay *relay, enum relay_side from)
{
	relay->active_ms[from] = loop_now_ms(relay->worker->options.loop);
}

/* What of these bytes is the source's own. */
static uint32_t prefix_deduct(struct relay *relay, enum relay_side from, uint32_t bytes)
{
	uint32_t prefix = relay->prefix_left < bytes ? relay->prefix_left : bytes;
	if (from != RELAY_CLIENT)
		return bytes;
	relay->prefix_left -= prefix;
	return bytes - prefix;
}

void relay_note_written(struct relay *relay, enum relay_side from, uint32_t bytes)
{
	struct relay_direction *direction = &relay->directions[from];
	bytes = prefix_deduct(relay, from, bytes);
	direction->bytes += bytes;
	relay->active_ms[relay_other(from)] = loop_now_ms(relay->worker->options.loop);
	counter_add(&engine_counters(relay->worker, direction->engine)->bytes, bytes);
}

void relay_note_carried(struct relay *relay, enum relay_side from, uint64_t bytes, uint64_t at_ms)
{
	struct relay_direction *direction = &relay->directions[from];
	direction->bytes += bytes;
	counter_add(&engine_counters(relay->worker, direction->engine)->bytes, bytes);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (relay->active_ms[side] < at_ms)
			relay->active_ms[side] = at_ms;
}

/* --- the end --- */

/* Lets go of everything but the fds; no callback of ours follows. */
static void let_go(struct relay *relay, bool will_close_fds)
{
	struct loop *loop = relay->worker->options.loop;
	relay->is_running = false;
	if (relay->taken != NULL)
		relay->takeover->takeover->leave(relay);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		engine_leave(relay, side);
		loop_watch_remove(loop, &relay->ends[side].watch, will_close_fds);
	}
	loop_task_cancel(loop, &relay->task);
}

static void finish(struct relay *relay, enum relay_outcome outcome, enum relay_side side)
{
	/* After a failure the owner keeps the healthy socket until its bytes are out. */
	let_go(relay, outcome != RELAY_BROKEN);
	relay->worker->options.on_end(relay, outcome, side);
}

void relay_stop(struct relay *relay)
{
	if (relay->is_running)
		let_go(relay, true);
}

bool relay_part(struct relay *relay, bool is_reset)
{
	CHECK(!relay->is_running);
	return relay->taken != NULL && relay->takeover->takeover->part(relay, is_reset);
}

void relay_sample(struct relay *relay)
{
	if (relay->taken != NULL)
		relay->takeover->takeover->sample(relay);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		const struct relay_engine *engine = relay->directions[side].engine;
		if (relay->is_running && engine != NULL && engine->sample != NULL)
			engine->sample(relay, side);
	}
}

struct relay_packets relay_packets(const struct relay *relay, enum relay_side from)
{
	if (relay->taken != NULL)
		return relay->takeover->takeover->packets(relay, from);
	return (struct relay_packets){0};
}

const char *relay_away_words(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	if (direction->wanted == NULL || direction->engine == direction->wanted)
		return "";
	return sockmap_reason_words(direction->away_reason);
}

const char *relay_takeover_words(const struct relay *relay)
{
	return wire_reason_words(relay->takeover_reason);
}

/* The side's socket is broken.  Nothing can reach it any more; what it had sent
 * before is still read, and the relay ends when that is delivered. */
static void end_fail(struct relay *relay, enum relay_side side, int error)
{
	struct relay_end *end = &relay->ends[side];
	enum relay_side other = relay_other(side);
	bool is_news = end->error == 0;
	if (is_news)
		end->error = (uint8_t)error;
	relay->directions[other].engine->discard(relay, other);
	relay->directions[other].is_ended = true;
	if (relay->directions[side].is_ended) {
		finish(relay, RELAY_BROKEN, side);
		return;
	}
	relay->directions[side].may_read = true;
	if (is_news)
		relay->worker->options.on_side_failed(relay, side);
}

/* While it connects, a shutdown would disconnect it (Linux does so in SYN_SENT). */
static bool is_connecting(struct relay_end *end)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	if (!end->is_fast_open)
		return false;
	end->is_fast_open = getsockopt(end->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
		info.tcpi_state == TCP_SYN_SENT;
	return end->is_fast_open;
}

/* Passes the end of `from` on. */
static void target_shutdown(struct relay *relay, enum relay_side from)
{
	enum relay_side target = relay_other(from);
	struct relay_end *end = &relay->ends[target];
	end->is_shutdown_due = is_connecting(end);
	if (end->is_shutdown_due)
		return;
	if (shutdown(end->watch.fd, SHUT_WR) != 0) {
		end_fail(relay, target, errno == ENOTCONN ? ECONNRESET : errno);
		return;
	}
	relay->worker->options.on_half_closed(relay, from);
}

/* The source gave its last byte and all are delivered: say so to the target, or
 * end the relay when the other direction has ended too. */
static void source_ended(struct relay *relay, enum relay_side from)
{
	enum relay_side target = relay_other(from);
	relay->directions[from].is_ended = true;
	if (relay->ends[from].error != 0) {
		finish(relay, RELAY_BROKEN, from);
		return;
	}
	if (relay->directions[target].is_ended) {
		finish(relay, RELAY_FINISHED, from);
		return;
	}
	target_shutdown(relay, from);
}

static void direction_failed(struct relay *relay, enum relay_side from, const struct engine_failure *failure)
{
	if (failure->error == ENOMEM) {
		finish(relay, RELAY_NO_MEMORY, from);
		return;
	}
	if (failure->side == from)
		relay->directions[from].is_ended = true;
	end_fail(relay, failure->side, failure->error);
}

void relay_note_source_failed(struct relay *relay, enum relay_side from, int error)
{
	end_fail(relay, from, error);
}

/* --- work --- */

/* No pipe.  That is not the only way: copy serves this time. */
static void fall_back(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	counter_add(&engine_counters(relay->worker, direction->engine)->refusals, 1);
	direction->bulk_score = 0;
	direction->was_refused = true;
	engine_move(relay, from, &relay_engine_copy, MOVE_REFUSED);
}

/* When bytes begin to wait, the target has its time to take them from now on; when
 * they wait no longer, the source has its own to send more. */
static void blocked_note(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	bool is_blocked = relay_held_bytes(relay, from) > 0 || (direction->may_read && !direction->may_write);
	if (is_blocked == direction->is_blocked)
		return;
	direction->is_blocked = is_blocked;
	relay->active_ms[is_blocked ? relay_other(from) : from] = loop_now_ms(relay->worker->options.loop);
}

/* What holds nothing goes on: the target may wait for just that before it takes more. */
static bool is_flushed(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	return relay->is_flushing && !direction->engine->is_clean(relay, from);
}

/* While flushing what can be read is none of the engine's business. */
static enum engine_progress engine_advance(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	bool may_read = direction->may_read;
	if (!is_flushed(relay, from))
		return direction->engine->advance(relay, from, ret_failure);
	direction->may_read = false;
	enum engine_progress progress = direction->engine->advance(relay, from, ret_failure);
	direction->may_read = may_read;
	return progress;
}

static void direction_advance(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	struct engine_failure failure = {0};
	engine_review(relay, from);
	enum engine_progress progress = engine_advance(relay, from, &failure);
	if (progress == ENGINE_REFUSED) {
		fall_back(relay, from);
		progress = direction->engine->advance(relay, from, &failure);
	}
	blocked_note(relay, from);
	switch (progress) {
	case ENGINE_WAITING:
		return;
	case ENGINE_MORE:
		loop_task_schedule(relay->worker->options.loop, &relay->task);
		return;
	case ENGINE_SOURCE_ENDED:
		source_ended(relay, from);
		return;
	case ENGINE_FAILED:
		direction_failed(relay, from, &failure);
		return;
	case ENGINE_REFUSED:
		break; /* copy never refuses */
	}
	CHECK(false);
}

static bool direction_has_work(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	if (direction->is_ended || relay->is_carried)
		return false;
	return direction->held != NULL ? direction->may_write : direction->may_read;
}

/* A failure in one direction may give work to the other: hence twice over both. */
static void pumps_run(struct relay *relay)
{
	for (unsigned turn = 0; turn < 2 * RELAY_SIDES; turn++) {
		enum relay_side from = turn % RELAY_SIDES == 0 ? RELAY_CLIENT : RELAY_SERVER;
		if (!relay->is_running)
			return;
		if (turn >= RELAY_SIDES && relay->ends[from].error == 0)
			continue;
		if (direction_has_work(relay, from))
			direction_advance(relay, from);
	}
}

static void run(struct relay *relay)
{
	pumps_run(relay);
	if (relay->turns < UINT16_MAX)
		relay->turns++;
	if (relay->is_running && relay->takeover != NULL && !relay->is_carried)
		relay->takeover->takeover->prepare(relay);
}

static void on_task(struct loop_task *task)
{
	run(container_of(task, struct relay, task));
}

/* --- readiness --- */

static void note_ready(struct relay *relay, enum relay_side side, unsigned events)
{
	struct relay_end *end = &relay->ends[side];
	if (events & LOOP_URGENT)
		end->has_urgent = true;
	if (events & (LOOP_READABLE | LOOP_PEER_CLOSED | LOOP_FAILED | LOOP_URGENT))
		relay->directions[side].may_read = true;
	if (events & (LOOP_WRITABLE | LOOP_FAILED))
		relay->directions[relay_other(side)].may_write = true;
	if (events & LOOP_PEER_CLOSED)
		end->has_peer_closed = true;
	if (events & LOOP_FAILED) {
		/* Taken from the socket now, so that it is known also while the direction from
		 * it cannot be read because its target is full. */
		int error = fd_pending_error(end->watch.fd);
		if (error != 0)
			end_fail(relay, side, error);
	}
	if ((events & LOOP_WRITABLE) && end->is_shutdown_due && end->error == 0)
		target_shutdown(relay, relay_other(side));
}

static void on_client_ready(struct loop_watch *watch, unsigned events)
{
	struct relay *relay = container_of(watch, struct relay, ends[RELAY_CLIENT].watch);
	note_ready(relay, RELAY_CLIENT, events);
	run(relay);
}

static void on_server_ready(struct loop_watch *watch, unsigned events)
{
	struct relay *relay = container_of(watch, struct relay, ends[RELAY_SERVER].watch);
	note_ready(relay, RELAY_SERVER, events);
	run(relay);
}

/* --- engines that carry both directions --- */

void relay_takeover_flush(struct relay *relay, bool is_flushing)
{
	if (relay->is_flushing && !is_flushing)
		loop_task_schedule(relay->worker->options.loop, &relay->task);
	relay->is_flushing = is_flushing;
}

void relay_takeover_enter(struct relay *relay)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		engine_move(relay, side, relay->takeover, MOVE_TAKEN);
		loop_watch_remove(relay->worker->options.loop, &relay->ends[side].watch, false);
	}
	relay->is_carried = true;
}

void relay_takeover_half_closed(struct relay *relay, enum relay_side from)
{
	relay->directions[from].is_ended = true;
	relay->worker->options.on_half_closed(relay, from);
}

void relay_takeover_finish(struct relay *relay, enum relay_outcome outcome, enum relay_side side, int error)
{
	relay->ends[side].error = (uint8_t)error;
	finish(relay, outcome, side);
}

/* --- start --- */

static int watch_side(struct relay *relay, enum relay_side side, int fd)
{
	struct loop_watch *watch = &relay->ends[side].watch;
	void (*on_ready)(struct loop_watch *, unsigned) =
		side == RELAY_CLIENT ? on_client_ready : on_server_ready;
	const int on = 1;
	/* Accepted unix sockets do not inherit it, as those of TCP do. */
	if (relay->ends[side].is_local)
		(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (loop_watch_is_live(watch)) {
		watch->on_ready = on_ready;
		return 0;
	}
	return loop_watch_add(
		relay->worker->options.loop, watch, fd, LOOP_READABLE | LOOP_WRITABLE, on_ready);
}

static const struct relay_engine *engine_wanted(struct relay_worker *worker, const char *name)
{
	if (name == NULL || strcmp(name, "auto") == 0)
		return NULL;
	const struct relay_engine *engine = relay_engine_find(name);
	if (engine == NULL || engine->takeover != NULL)
		return NULL;
	if (worker->engine_refusals[relay_engine_index(engine)] != NULL) {
		counter_add(&engine_counters(worker, engine)->refusals, 1);
		return &relay_engine_copy;
	}
	return engine;
}

static void direction_start(struct relay *relay, enum relay_side from, const char *engine_name)
{
	struct relay_direction *direction = &relay->directions[from];
	memset(direction, 0, sizeof(*direction));
	direction->wanted = engine_wanted(relay->worker, engine_name);
	direction->may_write = true;
	/* Held prefix bytes are copy's; the engine wanted follows once they are gone. */
	engine_enter(relay, from, &relay_engine_copy);
}

/* Both directions or none.  What a name asks for and is not available is counted. */
static void takeover_start(struct relay *relay, const struct relay_start_options *options)
{
	struct relay_worker *worker = relay->worker;
	relay->takeover = NULL;
	relay->taken = NULL;
	relay->takeover_due_ms = 0;
	relay->turns = relay->takeover_tries = relay->takeover_reason = 0;
	relay->is_carried = relay->is_takeover_named = relay->is_flushing = false;
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		const struct relay_engine *engine = relay_engines[i];
		unsigned named = 0, left_open = 0;
		for (unsigned side = 0; side < RELAY_SIDES && engine->takeover != NULL; side++) {
			const char *name = options->engines[side];
			named += name != NULL && strcmp(name, engine->name) == 0;
			left_open += name == NULL || strcmp(name, "auto") == 0;
		}
		if (worker->engine_refusals[i] != NULL)
			counter_add(&worker->engines[i].refusals, named);
		if (named + left_open < RELAY_SIDES || worker->engine_refusals[i] != NULL)
			continue;
		relay->takeover = engine;
		relay->is_takeover_named = named > 0;
		return;
	}
}

int relay_start(struct relay *relay, struct relay_worker *worker, const struct relay_start_options *options)
{
	relay->worker = worker;
	loop_task_init(&relay->task, on_task);
	takeover_start(relay, options);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		direction_start(relay, side, options->engines[side]);
		relay->ends[side].error = 0;
		relay->ends[side].is_local = options->is_local[side];
		relay->ends[side].is_fast_open = options->is_fast_open[side];
		relay->ends[side].is_shutdown_due = false;
		relay->ends[side].has_peer_closed = relay->ends[side].has_urgent = false;
		relay->active_ms[side] = loop_now_ms(worker->options.loop);
	}
	relay->prefix_left = options->prefix_bytes;
	relay->is_running = true;
	int result = 0;
	if (options->prefix_bytes > 0)
		result = relay_copy_hold(relay, RELAY_CLIENT, options->prefix, options->prefix_bytes);
	for (unsigned side = 0; side < RELAY_SIDES && result == 0; side++)
		result = watch_side(relay, side, options->fds[side]);
	if (result < 0) {
		let_go(relay, false);
		return result;
	}
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		CHECK(!(options->ready[side] & LOOP_FAILED));
		note_ready(relay, side, options->ready[side]);
	}
	loop_task_schedule(worker->options.loop, &relay->task);
	return 0;
}

/* --- the worker's share --- */

static int engine_open(struct relay_worker *worker, unsigned index, const struct kernel_facts *facts)
{
	const struct relay_engine *engine = relay_engines[index];
	worker->engine_refusals[index] = engine->unavailable(facts);
	if (worker->engine_refusals[index] != NULL)
		return 0;
	return engine->open(worker, &worker->engine_states[index]);
}

int relay_worker_init(struct relay_worker *worker, const struct relay_worker_options *options)
{
	struct kernel_facts facts;
	memset(worker, 0, sizeof(*worker));
	worker->options = *options;
	kernel_facts_probe(options->loop, &facts);
	if (options->wire == NULL)
		facts.wire_refusal = options->wire_refusal != NULL
			? options->wire_refusal
			: "neither 'relay wire' nor 'wire-interfaces' asks for it";
	if (options->sockmap == NULL)
		facts.sockmap_refusal = options->sockmap_refusal != NULL ? options->sockmap_refusal
									 : "no 'relay sockmap' asks for it";
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		int result = engine_open(worker, i, &facts);
		if (result < 0) {
			relay_worker_release(worker);
			return result;
		}
	}
	return 0;
}

void relay_worker_release(struct relay_worker *worker)
{
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		if (worker->engine_states[i] != NULL)
			relay_engines[i]->close(worker, worker->engine_states[i]);
		worker->engine_states[i] = NULL;
	}
}

uint32_t relay_held_bytes(const struct relay *relay, enum relay_side from)
{
	const struct relay_direction *direction = &relay->directions[from];
	return direction->held_end - direction->held_start;
}

const char *relay_engine_name(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].engine != NULL ? relay->directions[from].engine->name : NULL;
}
