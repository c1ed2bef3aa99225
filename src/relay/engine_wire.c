/* The wire engine: hands a relay over to the packet splicing programs, looks after it, and
 * settles its end.  The states of an entry:
 *
 *   WATCH    the programs note packets; the pumps relay as ever
 *   BARRIER  packets are forwarded; some may still have passed a program that did not know
 *   DRAIN    none does any more; the pumps relay what had come to the sockets, until all is
 *            read, written and acknowledged
 *   ACTIVE   the sockets are frozen: nothing reaches them, nothing of theirs gets out
 *   PARKED   the connection is over; the sockets hold its ports for late packets
 *
 * Up to WATCH all can be undone.  From BARRIER on bytes have passed by the sockets, and there
 * is no way back. */

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "base/route.h"
#include "relay/wire_internal.h"

enum {
	WATCH_MS = 5000, /* then others may have the place */
	RETRY_MIN_MS = 10,
	RETRY_HELD_MS = 1000,
	RETRY_MAX_MS = 10000,
	FLUSH_PART = 10, /* reading pauses for this part of the time between two tries at most */
	RETRIES_MAX = 10, /* of the doubling */
	DRAIN_PAUSE_MAX_MS = 64,
	SCALE_LEARNT_MIN = 7,
	SOCKET_RESET_MS = 20,
	SWEEP_MS = 1000,
	REROUTES_MAX = 64, /* of a sweep */
	SWEEP_MAX = 4096, /* entries looked at in one go */
};

static struct wire_worker *state_of(const struct relay_worker *worker)
{
	return worker->engine_states[relay_engine_index(&relay_engine_wire)];
}

static uint64_t now_of(const struct wire_entry *entry)
{
	return loop_now_ms(entry->loop);
}

/* --- refusals --- */

static uint64_t pause_after(const struct relay *relay, enum wire_reason reason)
{
	uint64_t first_ms = reason == WIRE_REASON_HELD ? RETRY_HELD_MS : RETRY_MIN_MS;
	uint64_t pause_ms = first_ms << relay->takeover_tries;
	return pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS;
}

static void refuse(struct relay *relay, enum wire_reason reason)
{
	struct relay_worker *worker = relay->worker;
	uint64_t now_ms = loop_now_ms(worker->options.loop);
	uint64_t pause_ms = pause_after(relay, reason);
	counter_add(&worker->wire_refusals[reason], 1);
	counter_add(&worker->engines[relay_engine_index(&relay_engine_wire)].refusals, 1);
	relay->takeover_reason = (uint8_t)reason;
	if (relay->takeover_tries < RETRIES_MAX)
		relay->takeover_tries++;
	relay->takeover_due_ms = now_ms + pause_ms;
	if (wire_reason_is_final(reason))
		relay->takeover = NULL;
}

static void give_up(struct relay *relay, enum wire_reason reason)
{
	struct wire_entry *entry = relay->taken;
	CHECK(entry->stage == WIRE_STAGE_WATCH);
	relay->taken = NULL;
	wire_entry_free(entry);
	relay_takeover_flush(relay, false);
	refuse(relay, reason);
}

/* --- from WATCH to DRAIN --- */

static bool are_pumps_clean(const struct relay *relay)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (!relay->directions[side].engine->is_clean(relay, side))
			return false;
	return true;
}

/* What the socket would send as its timestamp now (tcp_time_stamp(), net/ipv4/tcp_output.c). */
static uint32_t clock_of(const struct wire_snapshot *snapshot)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return (uint32_t)(ns / (snapshot->has_usec_clock ? 1000 : 1000000)) + snapshot->ts_offset;
}

/* The client was announced our scale before a server was chosen: what servers use is
 * announced to later ones. */
static void scale_learn(struct relay *relay, const struct wire_snapshot now[RELAY_SIDES])
{
	const struct relay_worker_options *options = &relay->worker->options;
	const struct wire_snapshot *client = &now[RELAY_CLIENT], *server = &now[RELAY_SERVER];
	unsigned announced = client->has_scale ? client->scale_receive : 0;
	/* One odd server must not narrow everybody's window: a scale of 7 says up to 8 MiB. */
	if (!server->has_scale || server->scale_send < SCALE_LEARNT_MIN)
		return;
	unsigned wanted = server->scale_send;
	if (announced > wanted && options->on_window_scale != NULL)
		options->on_window_scale(relay, wanted);
}

/* Maps the numbers as the sockets have them now, and remembers which of them stand for how
 * many bytes. */
static enum wire_reason map_now(struct wire_entry *entry)
{
	struct wire_snapshot now[RELAY_SIDES];
	struct wire_table *table = wire_entry_table(entry);
	if (wire_snapshot_take(table, entry->legs, now) != 0)
		return WIRE_REASON_KERNEL;
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (now[side].tcp_state != TCP_ESTABLISHED)
			return WIRE_REASON_CLOSING;
	if (now[0].has_holes || now[1].has_holes)
		return WIRE_REASON_HOLES;
	const uint32_t clock[RELAY_SIDES] = {clock_of(&now[0]), clock_of(&now[1])};
	if (wire_flow_map(table, entry->index, now, clock) != 0) {
		scale_learn(entry->relay, now);
		return WIRE_REASON_SCALE;
	}
	const struct wire_pair *pair = wire_table_pair(table, entry->index);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		uint64_t highest = pair->hot[side].seq_max;
		entry->position_before[side] = highest - (uint32_t)((uint32_t)highest - now[side].copied_seq);
		entry->bytes_before[side] = entry->relay->directions[side].bytes;
		entry->written_before[side] =
			now[side].snd_una + (uint64_t)(uint32_t)(now[side].write_seq - now[side].snd_una);
	}
	return WIRE_NO_REASON;
}

/* A translation between the wire and the socket (NAT) would send packets past each other:
 * only when both far hosts have been seen under the sockets' names is it sure that there is
 * none. */
static bool are_both_seen(const struct wire_entry *entry)
{
	const struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	return __atomic_load_n(&pair->hot[0].last_ns, __ATOMIC_RELAXED) != 0 &&
		__atomic_load_n(&pair->hot[1].last_ns, __ATOMIC_RELAXED) != 0;
}

/* Such a packet would reach no end once the sockets are frozen. */
static bool is_short_lived(const struct wire_entry *entry)
{
	const struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	uint32_t both = __atomic_load_n(&pair->hot[0].state, __ATOMIC_RELAXED) |
		__atomic_load_n(&pair->hot[1].state, __ATOMIC_RELAXED);
	return both & WIRE_SHORT_LIVED;
}

static bool is_watch_over(const struct wire_entry *entry)
{
	return now_of(entry) - entry->since_ms > WATCH_MS;
}

static void watch_look(struct wire_entry *entry)
{
	struct relay *relay = entry->relay;
	enum wire_reason reason = WIRE_REASON_UNSEEN;
	if (is_short_lived(entry))
		reason = WIRE_REASON_HOPS;
	else if (are_both_seen(entry))
		reason = are_pumps_clean(relay) ? map_now(entry) : WIRE_REASON_HELD;
	/* A flow whose target is slower than its source always has bytes here: unless reading
	 * pauses for a moment, the moment to hand it over never comes.  The other direction may
	 * be kept waiting by that, so it is not for long; longer the rarer it is tried. */
	if (reason == WIRE_REASON_HELD && !loop_timer_is_set(&entry->timer))
		loop_timer_set(entry->loop, &entry->timer,
			now_of(entry) + pause_after(relay, WIRE_REASON_HELD) / FLUSH_PART);
	relay_takeover_flush(relay, reason == WIRE_REASON_HELD);
	if (reason == WIRE_NO_REASON) {
		/* Nothing was read since the snapshot: all that runs on this thread is us. */
		wire_flow_set_mode(wire_entry_table(entry), entry->index, WIRE_DRAIN);
		loop_timer_cancel(entry->loop, &entry->timer);
		entry->stage = WIRE_STAGE_BARRIER;
		entry->pause_ms = 1;
		wire_hub_barrier(entry->hub, entry);
		return;
	}
	bool is_transient =
		reason == WIRE_REASON_UNSEEN || reason == WIRE_REASON_HELD || reason == WIRE_REASON_HOLES;
	if (!is_transient || is_watch_over(entry))
		give_up(relay, reason);
}

static void on_event(struct wire_entry *entry, unsigned what);
static void on_barrier(struct wire_entry *entry);
static void on_timer(struct loop_timer *timer);

static struct wire_entry *entry_get(struct relay *relay, struct wire_worker *worker)
{
	struct wire_entry *entry = wire_hub_get(worker->hub, worker->loop);
	if (entry == NULL && !list_is_empty(&worker->parked)) {
		wire_entry_release(worker, container_of(worker->parked.next, struct wire_entry, node));
		entry = wire_hub_get(worker->hub, worker->loop);
	}
	if (entry == NULL)
		return NULL;
	entry->worker = relay->worker;
	entry->relay = relay;
	entry->on_event = on_event;
	entry->on_barrier = on_barrier;
	entry->stage = WIRE_STAGE_WATCH;
	entry->has_ended = entry->has_socket_reset = false;
	entry->reset_ms = 0;
	entry->since_ms = loop_now_ms(worker->loop);
	entry->routes_generation = wire_hub_routes_generation(worker->hub);
	memset(entry->progress, 0, sizeof(entry->progress));
	memset(entry->packets_counted, 0, sizeof(entry->packets_counted));
	memset(entry->retransmits_counted, 0, sizeof(entry->retransmits_counted));
	loop_timer_init(&entry->timer, on_timer);
	list_add(&worker->carried, &entry->node);
	return entry;
}

/* In use by a parked one of ours: then its far host has begun anew, and it is over. */
static bool tuple_release(struct wire_worker *worker, const struct wire_leg legs[RELAY_SIDES])
{
	for (struct list *node = worker->parked.next; node != &worker->parked; node = node->next) {
		struct wire_entry *entry = container_of(node, struct wire_entry, node);
		if (memcmp(&entry->legs[0], &legs[0], sizeof(legs[0])) == 0 ||
			memcmp(&entry->legs[1], &legs[1], sizeof(legs[1])) == 0) {
			wire_entry_release(worker, entry);
			return true;
		}
	}
	return false;
}

static enum wire_reason reason_of(int error)
{
	if (error == -EEXIST)
		return WIRE_REASON_TUPLE;
	return error == -ENOSPC || error == -ENOMEM ? WIRE_REASON_FULL : WIRE_REASON_KERNEL;
}

static void watch_begin(struct relay *relay, struct wire_worker *worker, const struct wire_offer *offer)
{
	struct wire_entry *entry = entry_get(relay, worker);
	if (entry == NULL) {
		refuse(relay, WIRE_REASON_FULL);
		return;
	}
	memcpy(entry->legs, offer->legs, sizeof(entry->legs));
	int error = wire_flow_add(wire_entry_table(entry), entry->index, entry->legs);
	if (error == -EEXIST && tuple_release(worker, entry->legs))
		error = wire_flow_add(wire_entry_table(entry), entry->index, entry->legs);
	if (error != 0) {
		list_remove(&entry->node);
		wire_hub_put(worker->hub, entry);
		refuse(relay, reason_of(error));
		return;
	}
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		entry->fds[side] = relay->ends[side].watch.fd;
		wire_flow_route(
			wire_entry_table(entry), entry->index, side, &offer->routes[relay_other(side)]);
	}
	relay->taken = entry;
	enum wire_reason reason = map_now(entry);
	if (reason != WIRE_NO_REASON && reason != WIRE_REASON_HOLES) {
		give_up(relay, reason);
		return;
	}
	wire_flow_set_mode(wire_entry_table(entry), entry->index, WIRE_WATCH);
	if (!loop_timer_is_set(&worker->sweep_timer))
		loop_timer_set(worker->loop, &worker->sweep_timer, now_of(entry) + SWEEP_MS);
}

static bool is_closing(const struct relay *relay)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (relay->directions[side].is_ended || relay->ends[side].error != 0 ||
			relay->ends[side].has_peer_closed)
			return true;
	return false;
}

static void consider(struct relay *relay)
{
	struct wire_worker *worker = state_of(relay->worker);
	struct wire_offer offer;
	if (loop_now_ms(worker->loop) < relay->takeover_due_ms || !relay_auto_wants_takeover(relay))
		return;
	if (relay->ends[0].has_urgent || relay->ends[1].has_urgent) {
		refuse(relay, WIRE_REASON_URGENT);
		return;
	}
	if (is_closing(relay)) {
		refuse(relay, WIRE_REASON_CLOSING);
		return;
	}
	enum wire_reason reason = wire_offer_make(relay, worker, &offer);
	if (reason != WIRE_NO_REASON)
		refuse(relay, reason);
	else
		watch_begin(relay, worker, &offer);
}

/* --- from DRAIN to ACTIVE --- */

/* An end that came to a socket while the programs began is passed on by the pumps, so the
 * programs must be told; the far host's acknowledgement of it then counts. */
static void ends_tell(struct wire_entry *entry, const struct wire_snapshot now[RELAY_SIDES], bool is_acked)
{
	struct wire_pair *pair = wire_table_pair(wire_entry_table(entry), entry->index);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		if (!entry->relay->directions[side].is_ended)
			continue;
		if (!(pair->hot[side].state & WIRE_FIN)) {
			__atomic_store_n(&pair->hot[side].fin_end, now[side].rcv_nxt, __ATOMIC_RELAXED);
			__atomic_fetch_or(&pair->hot[side].state, WIRE_FIN, __ATOMIC_RELEASE);
		}
		if (is_acked)
			__atomic_fetch_or(&pair->hot[relay_other(side)].state, WIRE_FINACK, __ATOMIC_RELEASE);
	}
}

/* From now on nothing that belongs to the connection may reach the sockets, nor come from
 * them; should the process die, they reset. */
static void socket_freeze(int fd)
{
	static struct sock_filter drop_all = {.code = BPF_RET | BPF_K};
	const struct sock_fprog filter = {.len = 1, .filter = &drop_all};
	const struct linger none = {.l_onoff = 1};
	const int off = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &off, sizeof(off));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void activate(struct wire_entry *entry)
{
	struct relay *relay = entry->relay;
	wire_flow_set_mode(wire_entry_table(entry), entry->index, WIRE_ACTIVE);
	socket_freeze(entry->fds[0]);
	socket_freeze(entry->fds[1]);
	loop_timer_cancel(entry->loop, &entry->timer);
	entry->stage = WIRE_STAGE_ACTIVE;
	relay->takeover_reason = WIRE_NO_REASON;
	relay_takeover_enter(relay);
	/* One that is still on its way to the socket will be there by then. */
	if (entry->has_socket_reset)
		loop_timer_set(entry->loop, &entry->timer, now_of(entry) + SOCKET_RESET_MS);
	wire_ends_look(entry);
}

static void drain_look(struct wire_entry *entry)
{
	struct relay *relay = entry->relay;
	struct wire_snapshot now[RELAY_SIDES];
	struct wire_table *table = wire_entry_table(entry);
	if (relay == NULL || !relay->is_running)
		return;
	wire_sample(relay);
	/* A socket that is gone is broken, and the pumps learn it. */
	if (wire_snapshot_take(table, entry->legs, now) == 0) {
		ends_tell(entry, now, false);
		(void)wire_flow_follow(table, entry->index, now);
		if (are_pumps_clean(relay) && wire_flow_is_drained(table, entry->index, now)) {
			ends_tell(entry, now, true);
			activate(entry);
			return;
		}
	}
	loop_timer_set(entry->loop, &entry->timer, now_of(entry) + entry->pause_ms);
	if (entry->pause_ms < DRAIN_PAUSE_MAX_MS)
		entry->pause_ms *= 2;
}

static void on_barrier(struct wire_entry *entry)
{
	if (entry->stage != WIRE_STAGE_BARRIER)
		return;
	entry->stage = WIRE_STAGE_DRAIN;
	drain_look(entry);
}

static void prepare(struct relay *relay)
{
	struct wire_entry *entry = relay->taken;
	if (entry == NULL)
		consider(relay);
	else if (entry->stage == WIRE_STAGE_WATCH)
		watch_look(entry);
	else if (entry->stage == WIRE_STAGE_DRAIN)
		drain_look(entry);
}

static void on_event(struct wire_entry *entry, unsigned what)
{
	if (what & WIRE_RST && entry->stage < WIRE_STAGE_ACTIVE)
		entry->has_socket_reset = true;
	if (entry->stage == WIRE_STAGE_ACTIVE && !entry->has_ended) {
		if (!(what & WIRE_RST) || !wire_sockets_look(entry))
			wire_ends_look(entry);
	} else if (entry->stage == WIRE_STAGE_DRAIN) {
		drain_look(entry);
	}
	/* Its far host begins anew with the same port. */
	else if (entry->stage == WIRE_STAGE_PARKED && (what & WIRE_SYN))
		wire_entry_release(state_of(entry->worker), entry);
}

static void on_timer(struct loop_timer *timer)
{
	struct wire_entry *entry = container_of(timer, struct wire_entry, timer);
	switch ((enum wire_stage)entry->stage) {
	case WIRE_STAGE_WATCH:
		if (entry->relay->is_flushing)
			give_up(entry->relay, WIRE_REASON_HELD);
		return;
	case WIRE_STAGE_BARRIER:
		return;
	case WIRE_STAGE_DRAIN:
		drain_look(entry);
		return;
	case WIRE_STAGE_ACTIVE:
		if (!wire_sockets_look(entry))
			wire_reset_look(entry);
		return;
	case WIRE_STAGE_PARKED:
		wire_entry_release(state_of(entry->worker), entry);
		return;
	}
	CHECK(false);
}

/* Keeps the counters fresh.  Records can be lost when very many come at once; and who only
 * watches must not keep a place for ever. */
static void on_sweep(struct loop_timer *timer)
{
	struct wire_worker *worker = container_of(timer, struct wire_worker, sweep_timer);
	struct list rest;
	unsigned generation = wire_hub_routes_generation(worker->hub), reroutes = 0;
	list_init(&rest);
	for (unsigned i = 0; i < SWEEP_MAX && !list_is_empty(&worker->carried); i++) {
		struct wire_entry *entry = container_of(worker->carried.next, struct wire_entry, node);
		list_remove(&entry->node);
		list_add(&rest, &entry->node);
		if (entry->routes_generation != generation && reroutes++ < REROUTES_MAX) {
			entry->routes_generation = generation;
			wire_offer_reroute(entry, worker);
		}
		if (entry->stage == WIRE_STAGE_ACTIVE && !entry->has_ended) {
			wire_sample(entry->relay);
			wire_ends_look(entry);
		} else if (entry->stage == WIRE_STAGE_WATCH && is_watch_over(entry)) {
			give_up(entry->relay, WIRE_REASON_UNSEEN);
		}
	}
	list_splice(&worker->carried, &rest);
	if (!list_is_empty(&worker->carried))
		loop_timer_set(worker->loop, timer, loop_now_ms(worker->loop) + SWEEP_MS);
}

/* --- the end --- */

static void leave(struct relay *relay)
{
	struct wire_entry *entry = relay->taken;
	if (entry->stage == WIRE_STAGE_BARRIER || entry->stage == WIRE_STAGE_DRAIN)
		wire_forwarded_count(entry);
	if (entry->stage != WIRE_STAGE_WATCH)
		return;
	relay->taken = NULL;
	wire_entry_free(entry);
}

static bool part(struct relay *relay, bool is_reset)
{
	struct wire_entry *entry = relay->taken;
	struct wire_worker *worker = state_of(relay->worker);
	relay->taken = NULL;
	loop_timer_cancel(entry->loop, &entry->timer);
	if (entry->has_ended && !is_reset) {
		wire_entry_park(worker, entry);
		return true;
	}
	if (entry->stage != WIRE_STAGE_ACTIVE && !is_reset) {
		/* Both ends came to the sockets, which settle them with the programs' help. */
		entry->fds[0] = entry->fds[1] = -1;
		wire_entry_park(worker, entry);
		return false;
	}
	wire_entry_kill(entry);
	return true;
}

/* --- the worker's share --- */

static const char *unavailable(const struct kernel_facts *facts)
{
	return facts->wire_refusal;
}

static int open_worker(struct relay_worker *worker, void **ret_state)
{
	struct wire_worker *state = calloc(1, sizeof(*state));
	if (state == NULL)
		return -ENOMEM;
	state->routes = route_open();
	if (state->routes == NULL) {
		int error = -errno;
		free(state);
		return error;
	}
	state->hub = worker->options.wire;
	state->loop = worker->options.loop;
	list_init(&state->carried);
	list_init(&state->parked);
	loop_timer_init(&state->sweep_timer, on_sweep);
	*ret_state = state;
	return 0;
}

static void close_worker(struct relay_worker *worker, void *state)
{
	struct wire_worker *wire = state;
	(void)worker;
	CHECK(list_is_empty(&wire->carried));
	while (!list_is_empty(&wire->parked))
		wire_entry_release(wire, container_of(wire->parked.next, struct wire_entry, node));
	loop_timer_cancel(wire->loop, &wire->sweep_timer);
	route_close(wire->routes);
	free(wire);
}

static const struct relay_takeover takeover = {
	.prepare = prepare,
	.leave = leave,
	.part = part,
	.sample = wire_sample,
	.packets = wire_packets,
};

const struct relay_engine relay_engine_wire = {
	.name = "wire",
	.summary =
		"Rewrites packets at the interface, past the sockets, once a connection is up; for everything that comes and goes by a network interface.",
	.unavailable = unavailable,
	.open = open_worker,
	.close = close_worker,
	.takeover = &takeover,
};
