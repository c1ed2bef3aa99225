/* The uring engine: the kernel receives, into buffers that all connections of a worker
 * share, and sends from them; what it is told and what it answers goes with the loop's
 * own wait, so that a worker with many busy connections makes few system calls.
 *
 * A direction has a flow: one multishot receive, which brings a buffer at a time for as
 * long as there are any, and one send in flight, of the oldest buffers, so that order is
 * kept.  A send does not wait in the kernel: refused, it is tried again when the watch
 * reports room, as it would be made over and over for a target that has half-closed.  A
 * flow that holds much is not received for.  When the shared buffers are used up,
 * directions that hold none give way to copy until there are some again.
 *
 * What is in flight may touch buffers and flow: a flow outlives its direction until the
 * last completion of both operations has come, and only then gives its buffers back. */

#include "relay/engine.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/pool.h"
#include "loop/ring.h"

enum {
	BUFFER_BYTES = 16 * 1024,
	BUFFERS_MAX = 32768, /* of one group, the kernel's limit */
	BUFFER_GROUP = 1,
	PARTS_MAX = 16, /* buffers of one send */
	/* A flow is received for until it holds the one, and again below the other. */
	FLOW_BYTES_HIGH = 512 * 1024,
	FLOW_BYTES_LOW = 256 * 1024,
	ROOM_SHARE = 4, /* refused directions come back when one in so many buffers is free */
	BUFFER_NONE = UINT16_MAX,
};

/* A received part of a stream, in the order of its flow. */
struct buffer {
	uint32_t len;
	uint16_t next;
};

struct uring_state {
	struct loop *loop;
	struct io_uring_buf_ring *ring; /* NULL: not made yet */
	char *bytes; /* the buffers, and the ring behind them */
	size_t mapped_bytes;
	struct buffer *buffers;
	unsigned buffers_count, buffers_free;
	bool is_refused; /* the kernel did not take the ring */
	struct pool flows, sends;
};

/* Taken only while it is in flight: most flows are idle. */
struct uring_send {
	struct ring_operation operation;
	struct uring_flow *flow;
	uint32_t bytes; /* given to it */
	struct msghdr message;
	struct iovec parts[PARTS_MAX];
};

struct uring_flow {
	struct ring_operation receive;
	struct uring_send *send; /* NULL: none in flight */
	struct uring_state *state;
	struct relay *relay; /* NULL: let go of, waits for its last completions */
	enum relay_side from;
	uint16_t first, last; /* buffers, the oldest first */
	uint32_t first_start; /* bytes of the first one that are sent */
	uint8_t source_error, target_error; /* errno, 0: none */
	bool has_source_ended;
	bool is_starved; /* its receive ended for want of buffers */
	bool is_watch_quiet; /* of its source */
};

static struct uring_state *state_of(const struct relay_worker *worker)
{
	return worker->engine_states[relay_engine_index(&relay_engine_uring)];
}

static struct uring_flow *flow_of(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].flow;
}

/* --- the shared buffers --- */

static char *buffer_bytes(const struct uring_state *state, uint16_t number)
{
	return state->bytes + (size_t)number * BUFFER_BYTES;
}

static void buffer_give(struct uring_state *state, uint16_t number)
{
	io_uring_buf_ring_add(state->ring, buffer_bytes(state, number), BUFFER_BYTES, number,
		io_uring_buf_ring_mask(state->buffers_count), 0);
	io_uring_buf_ring_advance(state->ring, 1);
	state->buffers_free++;
}

static int ring_register(struct io_uring *ring, struct io_uring_buf_ring *buffers, unsigned count)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)buffers, .ring_entries = count, .bgid = BUFFER_GROUP};
	io_uring_buf_ring_init(buffers);
	return io_uring_register_buf_ring(ring, &registration, 0);
}

/* On the loop's thread, with the first flow: the ring is no other thread's. */
static bool buffers_make(struct uring_state *state)
{
	size_t bytes = (size_t)state->buffers_count * BUFFER_BYTES;
	size_t ring_bytes = state->buffers_count * sizeof(struct io_uring_buf);
	void *mapped =
		mmap(NULL, bytes + ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED)
		return false;
	struct io_uring_buf_ring *ring = (void *)((char *)mapped + bytes);
	if (ring_register(loop_ring(state->loop), ring, state->buffers_count) != 0) {
		munmap(mapped, bytes + ring_bytes);
		return false;
	}
	state->bytes = mapped;
	state->mapped_bytes = bytes + ring_bytes;
	state->ring = ring;
	for (unsigned i = 0; i < state->buffers_count; i++)
		buffer_give(state, (uint16_t)i);
	return true;
}

static bool buffers_ensure(struct uring_state *state)
{
	if (state->ring == NULL && !state->is_refused)
		state->is_refused = !buffers_make(state);
	return !state->is_refused;
}

static bool state_has_room(const struct uring_state *state)
{
	return !state->is_refused && state->buffers_free >= state->buffers_count / ROOM_SHARE;
}

static bool has_room(const struct relay_worker *worker)
{
	return state_has_room(state_of(worker));
}

/* --- what a flow holds --- */

/* The direction knows of it, too: its bytes wait for the target. */
static void held_set(struct uring_flow *flow, uint32_t bytes)
{
	struct relay_direction *direction = &flow->relay->directions[flow->from];
	direction->held_end = bytes;
	direction->held = bytes > 0 ? flow : NULL;
}

static void flow_push(struct uring_flow *flow, uint16_t number, uint32_t len)
{
	struct uring_state *state = flow->state;
	state->buffers[number] = (struct buffer){.len = len, .next = BUFFER_NONE};
	if (flow->first == BUFFER_NONE)
		flow->first = number;
	else
		state->buffers[flow->last].next = number;
	flow->last = number;
}

/* So many bytes were sent. */
static void flow_pop(struct uring_flow *flow, uint32_t bytes)
{
	struct uring_state *state = flow->state;
	flow->first_start += bytes;
	while (flow->first != BUFFER_NONE && flow->first_start >= state->buffers[flow->first].len) {
		uint16_t number = flow->first;
		flow->first_start -= state->buffers[number].len;
		flow->first = state->buffers[number].next;
		buffer_give(state, number);
	}
}

/* --- the life of a flow --- */

static void on_received(struct ring_operation *operation, int result, unsigned flags);
static void on_sent(struct ring_operation *operation, int result, unsigned flags);

/* With both directions here no edge tells anything new but room and failures. */
static void watches_quiet(struct relay *relay)
{
	if (flow_of(relay, RELAY_CLIENT) == NULL || flow_of(relay, RELAY_SERVER) == NULL)
		return;
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct uring_flow *flow = flow_of(relay, side);
		if (!flow->is_watch_quiet)
			flow->is_watch_quiet = loop_watch_change(flow->state->loop, &relay->ends[side].watch,
						       LOOP_QUIET | LOOP_WRITABLE) == 0;
	}
}

static struct uring_flow *flow_create(struct relay *relay, enum relay_side from)
{
	struct uring_state *state = state_of(relay->worker);
	struct uring_flow *flow = buffers_ensure(state) ? pool_get(&state->flows) : NULL;
	if (flow == NULL)
		return NULL;
	flow->receive.on_complete = on_received;
	flow->state = state;
	flow->relay = relay;
	flow->from = from;
	flow->first = BUFFER_NONE;
	relay->directions[from].flow = flow;
	watches_quiet(relay);
	return flow;
}

/* Neither the kernel nor the relay knows it any more: both operations are over, and
 * none begins without a relay. */
static void flow_destroy_if_over(struct uring_flow *flow)
{
	if (flow->relay != NULL || flow->receive.is_in_flight || flow->send != NULL)
		return;
	while (flow->first != BUFFER_NONE) {
		uint16_t number = flow->first;
		flow->first = flow->state->buffers[number].next;
		buffer_give(flow->state, number);
	}
	pool_put(&flow->state->flows, flow);
}

/* Other engines live by edges: they are told again what is ready. */
static void watches_wake(struct relay *relay)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct uring_flow *flow = flow_of(relay, side);
		if (flow == NULL || !flow->is_watch_quiet)
			continue;
		flow->is_watch_quiet = loop_watch_change(flow->state->loop, &relay->ends[side].watch,
					       LOOP_READABLE | LOOP_WRITABLE) != 0;
	}
}

static void discard(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	struct uring_flow *flow = direction->flow;
	if (flow == NULL)
		return;
	if (relay->is_running)
		watches_wake(relay);
	held_set(flow, 0);
	direction->flow = NULL;
	direction->may_read = true;
	flow->relay = NULL;
	loop_ring_cancel(flow->state->loop, &flow->receive);
	if (flow->send != NULL)
		loop_ring_cancel(flow->state->loop, &flow->send->operation);
	flow_destroy_if_over(flow);
}

/* --- completions --- */

/* The relay advances the direction after this batch of completions. */
static void flow_wake(struct uring_flow *flow)
{
	flow->relay->directions[flow->from].may_read = true;
	loop_task_schedule(flow->state->loop, &flow->relay->task);
}

static void source_bytes(struct uring_flow *flow, uint16_t number, uint32_t len)
{
	uint32_t held = relay_held_bytes(flow->relay, flow->from) + len;
	flow_push(flow, number, len);
	held_set(flow, held);
	relay_note_read(flow->relay, flow->from);
	if (held >= FLOW_BYTES_HIGH)
		loop_ring_cancel(flow->state->loop, &flow->receive);
}

/* While bytes from it are held, for the target may take its time: the other direction
 * must not go on for a side that is gone. */
static void source_failed(struct uring_flow *flow, int error)
{
	flow->source_error = (uint8_t)error;
	if (flow->first != BUFFER_NONE && flow->relay->ends[flow->from].error == 0)
		relay_note_source_failed(flow->relay, flow->from, error);
}

static void on_received(struct ring_operation *operation, int result, unsigned flags)
{
	struct uring_flow *flow = container_of(operation, struct uring_flow, receive);
	struct uring_state *state = flow->state;
	uint16_t number = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
	bool has_buffer = flags & IORING_CQE_F_BUFFER;
	if (has_buffer) {
		CHECK(number < state->buffers_count && state->buffers_free > 0);
		state->buffers_free--;
	}
	if (has_buffer && (flow->relay == NULL || result <= 0))
		buffer_give(state, number);
	if (flow->relay == NULL) {
		flow_destroy_if_over(flow);
		return;
	}
	flow_wake(flow);
	if (result > 0)
		source_bytes(flow, number, (uint32_t)result);
	else if (result == -ENOBUFS)
		flow->is_starved = true;
	else if (result == 0)
		flow->has_source_ended = true;
	else if (result != -ECANCELED && result != -EAGAIN && result != -EINTR)
		source_failed(flow, -result);
}

/* A send that took less than it was given has met a full socket, whose watch reports
 * when there is room. */
static void target_took(struct uring_flow *flow, uint32_t bytes, uint32_t given)
{
	if (bytes < given)
		flow->relay->directions[flow->from].may_write = false;
	if (bytes == 0)
		return;
	flow_pop(flow, bytes);
	held_set(flow, relay_held_bytes(flow->relay, flow->from) - bytes);
	relay_note_written(flow->relay, flow->from, bytes);
}

static void on_sent(struct ring_operation *operation, int result, unsigned flags)
{
	struct uring_send *send = container_of(operation, struct uring_send, operation);
	struct uring_flow *flow = send->flow;
	uint32_t given = send->bytes;
	(void)flags;
	flow->send = NULL;
	pool_put(&flow->state->sends, send);
	if (flow->relay == NULL) {
		flow_destroy_if_over(flow);
		return;
	}
	flow_wake(flow);
	if (result >= 0 || result == -EAGAIN)
		target_took(flow, result > 0 ? (uint32_t)result : 0, given);
	else if (result != -EINTR)
		flow->target_error = (uint8_t)-result;
}

/* --- operations --- */

static bool receive_begin(struct uring_flow *flow)
{
	struct loop *loop = flow->state->loop;
	struct io_uring_sqe *entry = loop_ring_entry(loop);
	if (entry == NULL)
		return false;
	io_uring_prep_recv_multishot(entry, flow->relay->ends[flow->from].watch.fd, NULL, 0, 0);
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = BUFFER_GROUP;
	flow->is_starved = false;
	loop_ring_begin(loop, entry, &flow->receive);
	return true;
}

/* The oldest buffers as parts of one message.  Returns how many. */
static unsigned parts_fill(struct uring_send *send)
{
	const struct uring_flow *flow = send->flow;
	const struct uring_state *state = flow->state;
	uint32_t start = flow->first_start;
	unsigned count = 0;
	for (uint16_t number = flow->first; number != BUFFER_NONE && count < PARTS_MAX;
		number = state->buffers[number].next) {
		uint32_t len = state->buffers[number].len - start;
		send->parts[count++] = (struct iovec){buffer_bytes(state, number) + start, len};
		send->bytes += len;
		start = 0;
	}
	return count;
}

static bool send_begin(struct uring_flow *flow)
{
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	struct uring_state *state = flow->state;
	struct uring_send *send = pool_get(&state->sends);
	if (send == NULL)
		return false;
	struct io_uring_sqe *entry = loop_ring_entry(state->loop);
	if (entry == NULL) {
		pool_put(&state->sends, send);
		return false;
	}
	int fd = flow->relay->ends[relay_other(flow->from)].watch.fd;
	send->operation.on_complete = on_sent;
	send->flow = flow;
	unsigned count = parts_fill(send);
	if (count == 1) {
		io_uring_prep_send(entry, fd, send->parts[0].iov_base, send->parts[0].iov_len, flags);
	} else {
		send->message = (struct msghdr){.msg_iov = send->parts, .msg_iovlen = count};
		io_uring_prep_sendmsg(entry, fd, &send->message, flags);
	}
	flow->send = send;
	loop_ring_begin(state->loop, entry, &send->operation);
	return true;
}

/* --- the relay's call --- */

/* Begins the next send, unless one is under way or there is no room for it.
 * ENGINE_MORE: nothing is held. */
static enum engine_progress deliver(struct uring_flow *flow, struct engine_failure *ret_failure)
{
	if (flow->target_error != 0)
		return engine_fail(ret_failure, relay_other(flow->from), flow->target_error);
	if (flow->first == BUFFER_NONE)
		return ENGINE_MORE;
	if (flow->send != NULL || !flow->relay->directions[flow->from].may_write)
		return ENGINE_WAITING;
	/* Refused for want of memory: the next pass tries again. */
	if (!send_begin(flow))
		flow_wake(flow);
	return ENGINE_WAITING;
}

/* Begins the receive, unless one is under way or enough is held. */
static enum engine_progress receive(struct uring_flow *flow)
{
	uint32_t held = relay_held_bytes(flow->relay, flow->from);
	if (flow->receive.is_in_flight || flow->source_error != 0 || flow->has_source_ended)
		return ENGINE_WAITING;
	if (held > FLOW_BYTES_LOW)
		return ENGINE_WAITING;
	if (flow->is_starved && !state_has_room(flow->state))
		return held > 0 ? ENGINE_WAITING : ENGINE_REFUSED;
	if (!receive_begin(flow))
		flow_wake(flow);
	return ENGINE_WAITING;
}

static enum engine_progress flow_advance(struct uring_flow *flow, struct engine_failure *ret_failure)
{
	enum engine_progress progress = deliver(flow, ret_failure);
	if (progress == ENGINE_MORE && flow->source_error != 0)
		return engine_fail(ret_failure, flow->from, flow->source_error);
	if (progress == ENGINE_MORE && flow->has_source_ended)
		return ENGINE_SOURCE_ENDED;
	if (progress == ENGINE_FAILED)
		return progress;
	return receive(flow);
}

static enum engine_progress advance(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct uring_flow *flow = direction->flow;
	if (flow == NULL)
		flow = flow_create(relay, from);
	if (flow == NULL)
		return ENGINE_REFUSED;
	/* Completions tell when there is more to do. */
	direction->may_read = false;
	return flow_advance(flow, ret_failure);
}

static bool is_clean(const struct relay *relay, enum relay_side from)
{
	const struct uring_flow *flow = flow_of(relay, from);
	if (flow == NULL)
		return true;
	return flow->first == BUFFER_NONE && !flow->receive.is_in_flight && flow->send == NULL &&
		!flow->has_source_ended && flow->source_error == 0 && flow->target_error == 0;
}

/* --- the worker's share --- */

static const char *unavailable(const struct kernel_facts *facts)
{
	return facts->ring_refusal;
}

/* The largest power of two that the bytes allow. */
static unsigned buffers_count_of(uint32_t bytes)
{
	unsigned count = 1;
	while (count * 2 <= BUFFERS_MAX && (uint64_t)count * 2 * BUFFER_BYTES <= bytes)
		count *= 2;
	return count;
}

static int open_worker(struct relay_worker *worker, void **ret_state)
{
	struct uring_state *state = calloc(1, sizeof(*state));
	if (state == NULL)
		return -ENOMEM;
	state->loop = worker->options.loop;
	state->buffers_count = buffers_count_of(worker->options.ring_bytes);
	state->buffers = calloc(state->buffers_count, sizeof(*state->buffers));
	if (state->buffers == NULL) {
		free(state);
		return -ENOMEM;
	}
	pool_init(&state->flows, sizeof(struct uring_flow), 0);
	pool_init(&state->sends, sizeof(struct uring_send), 0);
	*ret_state = state;
	return 0;
}

static void close_worker(struct relay_worker *worker, void *state)
{
	struct uring_state *uring_state = state;
	(void)worker;
	/* The last completions of flows that were let go of; a worker's thread has seen to
	 * that when its loop ended. */
	if (uring_state->flows.used > 0)
		loop_ring_settle(uring_state->loop);
	pool_release(&uring_state->sends);
	pool_release(&uring_state->flows);
	if (uring_state->ring != NULL) {
		(void)io_uring_unregister_buf_ring(loop_ring(uring_state->loop), BUFFER_GROUP);
		munmap(uring_state->bytes, uring_state->mapped_bytes);
	}
	free(uring_state->buffers);
	free(uring_state);
}

const struct relay_engine relay_engine_uring = {
	.name = "uring",
	.summary = "Lets io_uring receive into buffers shared by a worker's connections, and send from them.",
	.unavailable = unavailable,
	.open = open_worker,
	.close = close_worker,
	.advance = advance,
	.discard = discard,
	.is_clean = is_clean,
	.has_room = has_room,
	.takes_urgent = true,
};
