/* The copy engine: read into the worker's shared buffer, write at once; only what
 * the target refuses is kept, in a private buffer, until the target takes it.
 * While bytes are kept nothing more is read: the kernel's windows hold the sender. */

#include "relay/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/check.h"

enum { ROUNDS_MAX = 4 };

struct copy_buffer {
	uint32_t size;
	char bytes[];
};

static void held_bytes_change(struct relay_worker *worker, int64_t change)
{
	__atomic_store_n(&worker->held_bytes, worker->held_bytes + (uint64_t)change, __ATOMIC_RELAXED);
}

int relay_copy_hold(struct relay *relay, enum relay_side from, const void *bytes, uint32_t len)
{
	struct relay_direction *direction = &relay->directions[from];
	CHECK(direction->held == NULL && len > 0);
	struct copy_buffer *buffer = malloc(sizeof(*buffer) + len);
	if (buffer == NULL)
		return -ENOMEM;
	buffer->size = len;
	memcpy(buffer->bytes, bytes, len);
	direction->held = buffer;
	direction->held_start = 0;
	direction->held_end = len;
	held_bytes_change(relay->worker, len);
	return 0;
}

static void held_free(struct relay *relay, enum relay_side from)
{
	struct relay_direction *direction = &relay->directions[from];
	struct copy_buffer *buffer = direction->held;
	if (buffer == NULL)
		return;
	held_bytes_change(relay->worker, -(int64_t)buffer->size);
	free(buffer);
	direction->held = NULL;
	direction->held_start = direction->held_end = 0;
}

/* Bytes the target took (0: none now), or -1 with errno. */
static ssize_t target_send(struct relay *relay, enum relay_side from, const char *bytes, uint32_t len)
{
	ssize_t sent;
	do {
		sent = send(relay->ends[relay_other(from)].watch.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		sent = 0;
	if (sent > 0)
		relay_note_written(relay, from, (uint32_t)sent);
	if (sent >= 0 && sent < (ssize_t)len)
		relay->directions[from].may_write = false;
	return sent;
}

/* ENGINE_MORE: nothing is held any more. */
static enum engine_progress flush(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct copy_buffer *buffer = direction->held;
	if (buffer == NULL)
		return ENGINE_MORE;
	if (!direction->may_write)
		return ENGINE_WAITING;
	ssize_t sent = target_send(relay, from, buffer->bytes + direction->held_start,
		direction->held_end - direction->held_start);
	if (sent < 0)
		return engine_fail(ret_failure, relay_other(from), errno);
	direction->held_start += (uint32_t)sent;
	if (direction->held_start < direction->held_end)
		return ENGINE_WAITING;
	held_free(relay, from);
	return ENGINE_MORE;
}

/* Sends what was read; keeps the rest.  ENGINE_MORE: all of it went. */
static enum engine_progress deliver(
	struct relay *relay, enum relay_side from, uint32_t len, struct engine_failure *ret_failure)
{
	const char *bytes = relay->worker->shared_buffer;
	ssize_t sent = target_send(relay, from, bytes, len);
	if (sent < 0)
		return engine_fail(ret_failure, relay_other(from), errno);
	if ((uint32_t)sent == len)
		return ENGINE_MORE;
	if (relay_copy_hold(relay, from, bytes + sent, len - (uint32_t)sent) < 0)
		return engine_fail(ret_failure, from, ENOMEM);
	return ENGINE_WAITING;
}

/* Takes so many bytes that were looked at before out of the source's queue. */
static bool source_skip(struct relay *relay, enum relay_side from, uint32_t len)
{
	while (len > 0) {
		/* TCP drops them without copying; others need a place to copy to. */
		ssize_t skipped = recv(relay->ends[from].watch.fd, relay->worker->shared_buffer, len,
			MSG_DONTWAIT | MSG_TRUNC);
		if (skipped < 0 && errno == EINTR)
			continue;
		if (skipped <= 0)
			return false;
		len -= (uint32_t)skipped;
	}
	return true;
}

/* At urgent data a read also says that there is nothing when the kernel has something
 * to tell this thread (tcp_recvmsg_locked() in net/ipv4/tcp.c asks for a signal, and
 * takes work of io_uring's for one); no edge would follow. */
static bool was_turned_away(const struct relay *relay, enum relay_side from)
{
	const struct relay_end *source = &relay->ends[from];
	int waiting = 0;
	return source->has_urgent && ioctl(source->watch.fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static enum engine_progress read_failed(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	if (errno == EINTR)
		return ENGINE_MORE;
	if (errno != EAGAIN)
		return engine_fail(ret_failure, from, errno);
	if (was_turned_away(relay, from))
		return ENGINE_MORE;
	relay->directions[from].may_read = false;
	return ENGINE_WAITING;
}

/* A short read emptied the queue, and after a FIN nothing can be added to it: neither
 * the next read (EAGAIN) nor the last one (0) needs to be made.  Reads also stop
 * short at urgent data and, on unix sockets, at passed descriptors. */
static bool is_drained(const struct relay *relay, enum relay_side from, uint32_t taken)
{
	const struct relay_end *source = &relay->ends[from];
	return taken < relay->worker->options.buffer_bytes && !source->has_urgent && !source->is_local;
}

/* What follows when all that was there is delivered: the end, or waiting for more. */
static enum engine_progress drained(const struct relay *relay, enum relay_side from)
{
	return relay->ends[from].has_peer_closed ? ENGINE_SOURCE_ENDED : ENGINE_WAITING;
}

/* When there is no room to keep what the target may refuse: looks at the bytes
 * first and takes only what went, so that receivers who do not read cannot stop the
 * others by filling that room. */
static enum engine_progress move_lean(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_worker *worker = relay->worker;
	counter_add(&worker->lean_reads, 1);
	ssize_t seen = recv(relay->ends[from].watch.fd, worker->shared_buffer, worker->options.buffer_bytes,
		MSG_DONTWAIT | MSG_PEEK);
	if (seen < 0)
		return read_failed(relay, from, ret_failure);
	if (seen == 0)
		return ENGINE_SOURCE_ENDED;
	bool is_last = is_drained(relay, from, (uint32_t)seen);
	ssize_t sent = target_send(relay, from, worker->shared_buffer, (uint32_t)seen);
	if (sent < 0)
		return engine_fail(ret_failure, relay_other(from), errno);
	if (sent == 0)
		return ENGINE_WAITING;
	relay_note_read(relay, from);
	if (!source_skip(relay, from, (uint32_t)sent))
		return engine_fail(ret_failure, from, ECONNRESET);
	if (sent < seen)
		return ENGINE_WAITING;
	if (!is_last)
		return ENGINE_MORE;
	if (!relay->ends[from].has_peer_closed)
		relay->directions[from].may_read = false;
	return drained(relay, from);
}

/* One read and one write. */
static enum engine_progress move_once(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	struct relay_direction *direction = &relay->directions[from];
	struct relay_worker *worker = relay->worker;
	uint32_t size = worker->options.buffer_bytes;
	if (worker->held_bytes + size > worker->options.held_bytes_max)
		return move_lean(relay, from, ret_failure);
	ssize_t taken = recv(relay->ends[from].watch.fd, worker->shared_buffer, size, MSG_DONTWAIT);
	if (taken < 0)
		return read_failed(relay, from, ret_failure);
	if (taken == 0)
		return ENGINE_SOURCE_ENDED;
	relay_note_read(relay, from);
	relay_auto_learn(direction, (uint32_t)taken);
	bool is_last = is_drained(relay, from, (uint32_t)taken);
	if (is_last && !relay->ends[from].has_peer_closed)
		direction->may_read = false;
	enum engine_progress progress = deliver(relay, from, (uint32_t)taken, ret_failure);
	return progress == ENGINE_MORE && is_last ? drained(relay, from) : progress;
}

static enum engine_progress advance(
	struct relay *relay, enum relay_side from, struct engine_failure *ret_failure)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		enum engine_progress progress = flush(relay, from, ret_failure);
		if (progress != ENGINE_MORE)
			return progress;
		if (!relay->directions[from].may_read || !relay->directions[from].may_write)
			return ENGINE_WAITING;
		progress = move_once(relay, from, ret_failure);
		if (progress != ENGINE_MORE)
			return progress;
	}
	return ENGINE_MORE;
}

static bool is_clean(const struct relay *relay, enum relay_side from)
{
	return relay->directions[from].held == NULL;
}

static const char *unavailable(const struct kernel_facts *facts)
{
	(void)facts;
	return NULL;
}

static int open_worker(struct relay_worker *worker, void **ret_state)
{
	worker->shared_buffer = malloc(worker->options.buffer_bytes);
	if (worker->shared_buffer == NULL)
		return -ENOMEM;
	*ret_state = worker->shared_buffer;
	return 0;
}

static void close_worker(struct relay_worker *worker, void *state)
{
	(void)state;
	CHECK(worker->held_bytes == 0);
	free(worker->shared_buffer);
	worker->shared_buffer = NULL;
}

const struct relay_engine relay_engine_copy = {
	.name = "copy",
	.summary =
		"Reads into a buffer shared by a worker's connections and writes at once; best for messages.",
	.unavailable = unavailable,
	.open = open_worker,
	.close = close_worker,
	.advance = advance,
	.discard = held_free,
	.is_clean = is_clean,
	.takes_urgent = true,
};
