/* The splice engine: pages move from socket to pipe to socket, bytes are not
 * copied.  A direction has a pipe only while bytes are in it; empty pipes wait in
 * a pool of the worker, which is bounded.  The process must ignore SIGPIPE, for
 * splice(2) has no flag against it. */

#include "relay/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "relay/batch.h"

enum { ROUNDS_MAX = 4 };

struct splice_pipe {
	struct splice_pipe *next;
	int read_end, write_end;
	uint32_t capacity;
};

struct splice_state {
	struct splice_pipe *free;
	struct relay_batches batches;
};

static struct splice_state *state_of(const struct relay_worker *worker)
{
	return worker->engine_states[relay_engine_index(&relay_engine_splice)];
}

static void pipe_destroy(struct relay_worker *worker, struct splice_pipe *pipe)
{
	close(pipe->read_end);
	close(pipe->write_end);
	free(pipe);
	worker->pipes_made--;
}

/* NULL when descriptors or memory ran out. */
static struct splice_pipe *pipe_create(struct relay_worker *worker)
{
	struct splice_pipe *pipe = malloc(sizeof(*pipe));
	if (pipe == NULL)
		return NULL;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(pipe);
		return NULL;
	}
	/* Refused beyond the user's share of pipe memory: then the pipe stays small, and works. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, (int)worker->options.pipe_bytes);
	int granted = fcntl(ends[1], F_GETPIPE_SZ);
	pipe->read_end = ends[0];
	pipe->write_end = ends[1];
	pipe->capacity = granted > 0 ? (uint32_t)granted : 4096;
	pipe->next = NULL;
	worker->pipes_made++;
	return pipe;
}

static struct splice_pipe *pipe_get(struct relay_worker *worker)
{
	struct splice_state *state = state_of(worker);
	struct splice_pipe *pipe = state->free;
	if (pipe != NULL)
		state->free = pipe->next;
	else if (worker->pipes_made < worker->options.pipes_max)
		pipe = pipe_create(worker);
	if (pipe != NULL)
		worker->pipes_used++;
	return pipe;
}

/* Only empty pipes may be used again. */
static void pipe_put(struct relay *relay, enum relay_side from)
{
	struct relay_worker *worker = relay->worker;
	struct relay_direction *direction = &relay->directions[from];
	struct splice_pipe *pipe = direction->held;
	if (pipe == NULL)
		return;
	worker->pipes_used--;
	direction->held = NULL;
	if (direction->held_end > 0) {
		pipe_destroy(worker, pipe);
	} else {
		pipe->next = state_of(worker)->free;
		state_of(worker)->free = pipe;
	}
	direction->held_end = 0;
}

/* ENGINE_MORE: the pipe is empty. */
static enum engine_progress drain(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct splice_pipe *pipe = direction->held;
	int target = relay->ends[relay_other(from)].watch.fd;
	while (direction->held_end > 0) {
		if (!direction->may_write)
			return ENGINE_WAITING;
		ssize_t moved = splice(pipe->read_end, NULL, target, NULL, direction->held_end,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0 && errno == EAGAIN) {
			direction->may_write = false;
			return ENGINE_WAITING;
		}
		if (moved <= 0)
			return engine_fail(ret_failure, relay_other(from), moved < 0 ? errno : EPIPE);
		direction->held_end -= (uint32_t)moved;
		relay_note_written(relay, from, (uint32_t)moved);
	}
	return ENGINE_MORE;
}

/* splice(2) reports an end, too, when it stands before urgent data and the peer's
 * FIN has come; recv(2) knows the difference. */
static enum engine_progress end_confirm(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	char byte;
	ssize_t seen = recv(relay->ends[from].watch.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
	if (seen < 0 && errno == EINTR)
		return ENGINE_MORE;
	if (seen < 0 && errno != EAGAIN)
		return engine_fail(ret_failure, from, errno);
	if (seen < 0) {
		relay->directions[from].may_read = false;
		return ENGINE_WAITING;
	}
	if (seen == 0)
		return ENGINE_SOURCE_ENDED;
	relay->ends[from].has_urgent = true;
	return ENGINE_MORE;
}

/* ENGINE_MORE: something is in the pipe now, or copy must take over because of
 * urgent data. */
static enum engine_progress fill(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	if (relay->ends[from].has_urgent)
		return ENGINE_MORE;
	if (direction->held == NULL)
		direction->held = pipe_get(relay->worker);
	struct splice_pipe *pipe = direction->held;
	if (pipe == NULL)
		return ENGINE_REFUSED;
	ssize_t moved;
	do {
		moved = splice(relay->ends[from].watch.fd, NULL, pipe->write_end, NULL, pipe->capacity,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (moved < 0 && errno == EINTR);
	if (moved == 0)
		return end_confirm(relay, from, ret_failure);
	if (moved < 0 && errno == EAGAIN) {
		/* The pipe was empty, so it is the socket that has nothing. */
		direction->may_read = false;
		return ENGINE_WAITING;
	}
	if (moved < 0)
		return engine_fail(ret_failure, from, errno);
	direction->held_end = (uint32_t)moved;
	relay_note_read(relay, from);
	relay_auto_learn(direction, (uint32_t)moved);
	return ENGINE_MORE;
}

static enum engine_progress advance(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	enum engine_progress progress = ENGINE_MORE;
	uint32_t read_bytes = 0;
	for (unsigned round = 0; round < ROUNDS_MAX && progress == ENGINE_MORE; round++) {
		if (direction->held_end > 0)
			progress = drain(relay, from, ret_failure);
		if (progress != ENGINE_MORE)
			break;
		progress = direction->may_read ? fill(relay, from, ret_failure) : ENGINE_WAITING;
		read_bytes += direction->held_end;
	}
	if (direction->held_end > 0 && progress == ENGINE_MORE)
		progress = drain(relay, from, ret_failure);
	if (direction->held_end == 0)
		pipe_put(relay, from);
	if (!relay->ends[from].is_local)
		relay_batch_note(&state_of(relay->worker)->batches, relay, from, read_bytes);
	return progress;
}

static void discard(struct relay *relay, enum relay_side from)
{
	pipe_put(relay, from);
	relay_batch_end(&state_of(relay->worker)->batches, relay, from);
}

static bool is_clean(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].held == NULL;
}

static bool has_room(const struct relay_worker *worker)
{
	return worker->pipes_used < worker->options.pipes_max;
}

static const char *unavailable(const struct kernel_facts *facts)
{
	if (facts->splice_error != 0)
		return "splice(2) from a TCP socket to a pipe is refused here";
	return NULL;
}

static int open_worker(struct relay_worker *worker, void **ret_state)
{
	struct splice_state *splice_state = calloc(1, sizeof(*splice_state));
	if (splice_state == NULL)
		return -ENOMEM;
	relay_batches_init(&splice_state->batches, worker->options.loop, worker->options.wake_bytes);
	*ret_state = splice_state;
	return 0;
}

static void close_worker(struct relay_worker *worker, void *state)
{
	struct splice_state *splice_state = state;
	CHECK(worker->pipes_used == 0);
	while (splice_state->free != NULL) {
		struct splice_pipe *pipe = splice_state->free;
		splice_state->free = pipe->next;
		pipe_destroy(worker, pipe);
	}
	relay_batches_release(&splice_state->batches);
	free(splice_state);
}

const struct relay_engine relay_engine_splice = {
	.name = "splice",
	.summary = "Moves pages through a pooled pipe with splice(2); best for bulk.",
	.unavailable = unavailable,
	.open = open_worker,
	.close = close_worker,
	.advance = advance,
	.discard = discard,
	.is_clean = is_clean,
	.has_room = has_room,
};
