/* Directions of the socket relay's tables: entering, accounting, leaving. */

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "bpf/sockmap.h"
#include "bpf/sockmap_internal.h"

enum { WALK_BUFFER = 64 };

static struct sockmap_direction *entry_of(const struct sockmap_table *table, unsigned direction)
{
	CHECK(direction < 2 * table->pairs_max);
	return &table->directions[direction];
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

int sockmap_source_add(struct sockmap_table *table, unsigned direction, int source_fd)
{
	struct sockmap_direction *entry = entry_of(sockmap_table_check(table), direction);
	struct sockmap_look look;
	uint64_t value = (uint64_t)source_fd;
	CHECK(entry->order.cookie != 0 && entry->count.has_left);
	CHECK(entry->count.passed == entry->order.taken);
	int error = sockmap_target_look(table, direction, &look);
	if (error != 0)
		return error;
	entry->order.mode = SOCKMAP_PASS;
	entry->order.is_leaving = 0;
	/* What was held when it left has been delivered without a note. */
	entry->order.sent = entry->order.taken;
	entry->order.drained = entry->count.redirected;
	entry->order.base = look.write_seq - (uint32_t)(entry->count.redirected + entry->order.sent);
	entry->count.has_next = 0;
	entry->count.has_left = 0;
	if (bpf_map_update_elem(table->sources_fd, &direction, &value, BPF_NOEXIST) == 0)
		return 0;
	error = -errno;
	entry->count.has_left = 1;
	return error;
}

void sockmap_direction_halt(struct sockmap_table *table, unsigned direction, int source_fd)
{
	sockmap_direction_set_mode(table, direction, SOCKMAP_PASS);
	sockmap_verdict_await(source_fd);
}

void sockmap_direction_set_mode(struct sockmap_table *table, unsigned direction, enum sockmap_mode mode)
{
	__atomic_store_n(&entry_of(table, direction)->order.mode, mode, __ATOMIC_RELEASE);
}

void sockmap_direction_take(struct sockmap_table *table, unsigned direction, uint64_t bytes)
{
	struct sockmap_direction *entry = entry_of(table, direction);
	uint64_t taken = entry->order.taken + bytes;
	CHECK(taken <= load(&entry->count.passed));
	__atomic_store_n(&entry->order.taken, taken, __ATOMIC_RELEASE);
}

void sockmap_direction_send(struct sockmap_table *table, unsigned direction, uint64_t bytes)
{
	struct sockmap_order *order = &entry_of(table, direction)->order;
	uint64_t sent = order->sent + bytes;
	CHECK(sent <= order->taken);
	__atomic_store_n(&order->sent, sent, __ATOMIC_RELEASE);
}

uint64_t sockmap_direction_unread(const struct sockmap_table *table, unsigned direction)
{
	const struct sockmap_direction *entry = entry_of(table, direction);
	return load(&entry->count.passed) - entry->order.taken;
}

bool sockmap_direction_settle(struct sockmap_table *table, unsigned direction)
{
	struct sockmap_direction *entry = entry_of(table, direction);
	uint32_t told = __atomic_load_n(&entry->count.told, __ATOMIC_ACQUIRE);
	__atomic_store_n(&entry->order.heard, told, __ATOMIC_SEQ_CST);
	/* The program raises `passed` and then looks at `heard`. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return sockmap_direction_unread(table, direction) == 0 && entry->order.taken == entry->order.sent &&
		entry->count.trouble == 0;
}

unsigned sockmap_direction_trouble(const struct sockmap_table *table, unsigned direction)
{
	return __atomic_load_n(&entry_of(table, direction)->count.trouble, __ATOMIC_ACQUIRE);
}

int sockmap_direction_pending(struct sockmap_table *table, unsigned direction, uint64_t *ret_bytes)
{
	struct sockmap_direction *entry = entry_of(sockmap_table_check(table), direction);
	struct sockmap_look look;
	uint64_t redirected = load(&entry->count.redirected);
	*ret_bytes = 0;
	if (entry->order.drained == redirected)
		return 0;
	int error = sockmap_target_look(table, direction, &look);
	if (error != 0)
		return error;
	/* Not by TCP_INFO: its bytes_sent counts packets that a queue discipline refused, too. */
	uint32_t handed = (uint32_t)(redirected + entry->order.sent);
	int32_t missing = (int32_t)(handed - (look.write_seq - entry->order.base));
	if (missing > 0)
		*ret_bytes = (uint32_t)missing;
	else
		entry->order.drained = redirected;
	return 0;
}

int sockmap_direction_is_drained(struct sockmap_table *table, unsigned direction)
{
	uint64_t bytes;
	int error = sockmap_direction_pending(table, direction, &bytes);
	return error != 0 ? error : bytes == 0;
}

void sockmap_direction_read(
	const struct sockmap_table *table, unsigned direction, struct sockmap_count *ret_count)
{
	memcpy(ret_count, &entry_of(table, direction)->count, sizeof(*ret_count));
}

bool sockmap_direction_has_left(const struct sockmap_table *table, unsigned direction)
{
	return entry_of(table, direction)->count.has_left;
}

/* One run of sockmap_leave over the namespace's sockets. */
static int walk(const struct sockmap_table *table)
{
	char nothing[WALK_BUFFER];
	FD_AUTO int fd = bpf_iter_create(table->leave_link_fd);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t len = read(fd, nothing, sizeof(nothing));
		/* After a million sockets it pauses with EAGAIN. */
		if (len == 0 || (len < 0 && errno != EAGAIN))
			return len == 0 ? 0 : -errno;
	}
}

int sockmap_leave(struct sockmap_table *table, const unsigned *directions, unsigned count)
{
	int left = 0;
	sockmap_table_check(table);
	for (unsigned i = 0; i < count; i++)
		__atomic_store_n(&entry_of(table, directions[i])->order.is_leaving, 1, __ATOMIC_RELEASE);
	int error = walk(table);
	for (unsigned i = 0; i < count; i++) {
		struct sockmap_direction *entry = entry_of(table, directions[i]);
		entry->order.is_leaving = 0;
		left += entry->count.has_left;
	}
	return error != 0 ? error : left;
}

int sockmap_source_hush(int source_fd, int *ret_clamp)
{
	int least = 1, clamp;
	socklen_t len = sizeof(clamp);
	if (getsockopt(source_fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, &len) != 0 ||
		setsockopt(source_fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &least, sizeof(least)) != 0)
		return -errno;
	*ret_clamp = clamp;
	return 0;
}

void sockmap_source_release(int source_fd, int clamp)
{
	/* The source may have failed meanwhile. */
	(void)setsockopt(source_fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, sizeof(clamp));
}
