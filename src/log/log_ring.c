/* Ring of log lines.  Positions only grow; a line never wraps: when it does not
 * fit before the end of the storage a filler takes the rest.
 *
 * Waking up without losing one: the writer publishes its line, then swaps
 * is_woken to true and posts only if it was false; the reader sets it to false
 * before it looks at the ring.  Either the reader's look comes after the line, or
 * the writer sees false and posts. */
#include "log/log_ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

enum { LINE_ALIGNMENT = 8 };

/* Stands before each line in the storage. */
struct ring_entry {
	uint32_t size; /* of the whole entry, a multiple of LINE_ALIGNMENT */
	uint16_t line_len;
	uint8_t tag_len;
	uint8_t level; /* RING_FILLER: nothing here, go on at the start */
	uint64_t wall_us;
	const struct config_log *targets;
};

enum { RING_FILLER = 255 };
_Static_assert(LOG_LINE_MAX < UINT16_MAX, "a line's length must fit");
_Static_assert(sizeof(struct ring_entry) % LINE_ALIGNMENT == 0, "entries must stay aligned");

struct log_ring {
	uint64_t head __attribute__((aligned(64))); /* writer's; published with release */
	uint64_t dropped;
	uint64_t tail __attribute__((aligned(64))); /* reader's; published with release */
	bool is_woken __attribute__((aligned(64)));
	bool is_released;
	struct loop_message message;
	struct loop *loop;
	void (*on_wake)(void *context);
	void *context;
	struct log_ring *following;
	char *storage;
};

static void ring_free(struct log_ring *ring)
{
	free(ring->storage);
	free(ring);
}

static void on_message(struct loop_message *message)
{
	struct log_ring *ring = container_of(message, struct log_ring, message);
	if (ring->is_released) {
		ring_free(ring);
		return;
	}
	(void)__atomic_exchange_n(&ring->is_woken, false, __ATOMIC_ACQ_REL);
	ring->on_wake(ring->context);
}

struct log_ring *log_ring_create(struct loop *loop, void (*on_wake)(void *context), void *context)
{
	struct log_ring *ring = aligned_alloc(64, sizeof(*ring));
	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->storage = malloc(LOG_RING_BYTES);
	if (!ring->storage) {
		free(ring);
		return NULL;
	}
	ring->loop = loop;
	ring->on_wake = on_wake;
	ring->context = context;
	ring->message.run = on_message;
	return ring;
}

/* While is_woken is true the message is in the loop's hands, which runs it at the
 * latest when the loop is destroyed; then that run frees the ring. */
void log_ring_release(struct log_ring *ring)
{
	if (!ring)
		return;
	ring->is_released = true;
	if (!__atomic_load_n(&ring->is_woken, __ATOMIC_ACQUIRE))
		ring_free(ring);
}

void log_ring_link(struct log_ring *ring, struct log_ring *following)
{
	ring->following = following;
}

struct log_ring *log_ring_following(const struct log_ring *ring)
{
	return ring->following;
}

static struct ring_entry *entry_at(const struct log_ring *ring, uint64_t position)
{
	return (struct ring_entry *)(void *)(ring->storage + position % LOG_RING_BYTES);
}

/* Where an entry of size bytes may start, behind a filler if need be.  Returns
 * false when there is no room. */
static bool ring_reserve(struct log_ring *ring, size_t size, uint64_t *ret_position)
{
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	uint64_t head = ring->head;
	size_t left = LOG_RING_BYTES - head % LOG_RING_BYTES;
	size_t filler = left < size ? left : 0;
	if (head - tail + filler + size > LOG_RING_BYTES)
		return false;
	if (filler > 0) {
		/* Only the first eight bytes of a filler are certain to exist. */
		struct ring_entry *entry = entry_at(ring, head);
		entry->size = (uint32_t)filler;
		entry->level = RING_FILLER;
	}
	*ret_position = head + filler;
	return true;
}

/* One line is one line: what could end it or drive a terminal becomes '?'. */
static void copy_printable(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)from[i];
		to[i] = byte < 32 || byte == 127 ? '?' : from[i];
	}
}

static void ring_publish(struct log_ring *ring, uint64_t head)
{
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	if (!__atomic_exchange_n(&ring->is_woken, true, __ATOMIC_ACQ_REL))
		loop_post(ring->loop, &ring->message);
}

void log_ring_write(struct log_ring *ring, const struct log_message *message)
{
	uint64_t position = 0;
	const char *tag = message->tag ? message->tag : "";
	size_t tag_len = strnlen(tag, LOG_TAG_MAX);
	size_t len = message->len < LOG_LINE_MAX ? message->len : LOG_LINE_MAX;
	size_t size = sizeof(struct ring_entry) + tag_len + len;
	size = (size + LINE_ALIGNMENT - 1) & ~(size_t)(LINE_ALIGNMENT - 1);
	if (!message->targets)
		return;
	if (!ring_reserve(ring, size, &position)) {
		__atomic_store_n(&ring->dropped, ring->dropped + 1, __ATOMIC_RELAXED);
		return;
	}
	struct ring_entry *entry = entry_at(ring, position);
	*entry = (struct ring_entry){
		.size = (uint32_t)size,
		.line_len = (uint16_t)len,
		.tag_len = (uint8_t)tag_len,
		.level = (uint8_t)message->level,
		.wall_us = clock_wall_us(),
		.targets = message->targets,
	};
	char *bytes = (char *)(entry + 1);
	copy_printable(bytes, tag, tag_len);
	copy_printable(bytes + tag_len, message->text, len);
	ring_publish(ring, position + size);
}

struct log_cursor log_ring_begin(const struct log_ring *ring)
{
	return (struct log_cursor){
		.position = ring->tail, .end = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)};
}

bool log_ring_next(const struct log_ring *ring, struct log_cursor *cursor, struct log_line *ret_line)
{
	while (cursor->position < cursor->end) {
		const struct ring_entry *entry = entry_at(ring, cursor->position);
		CHECK(entry->size > 0 && entry->size <= cursor->end - cursor->position);
		cursor->position += entry->size;
		if (entry->level == RING_FILLER)
			continue;
		const char *bytes = (const char *)(entry + 1);
		*ret_line = (struct log_line){
			.targets = entry->targets,
			.wall_us = entry->wall_us,
			.level = entry->level,
			.tag = bytes,
			.tag_len = entry->tag_len,
			.bytes = bytes + entry->tag_len,
			.len = entry->line_len,
		};
		return true;
	}
	return false;
}

void log_ring_consume(struct log_ring *ring, const struct log_cursor *cursor)
{
	__atomic_store_n(&ring->tail, cursor->position, __ATOMIC_RELEASE);
}

bool log_ring_is_empty(const struct log_ring *ring)
{
	return ring->tail == __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
}

uint64_t log_ring_dropped(const struct log_ring *ring)
{
	return __atomic_load_n(&ring->dropped, __ATOMIC_RELAXED);
}
