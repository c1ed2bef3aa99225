/* The tables of the socket relay: life, pairs, events. */

#include "bpf/sockmap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "bpf/sockmap_internal.h"

#define MAGIC 0x534d4150u

struct sockmap_table *sockmap_table_check(struct sockmap_table *table)
{
	CHECK(table != NULL && table->magic == MAGIC);
	return table;
}

/* About an entry that has changed hands since: nobody's. */
static int on_record(void *ctx, void *data, size_t size)
{
	struct sockmap_table *table = sockmap_table_check(ctx);
	const struct sockmap_event *event = data;
	if (size < sizeof(*event) || event->direction >= 2 * table->pairs_max || table->on_event == NULL)
		return 0;
	if (event->generation == table->directions[event->direction].order.generation)
		table->on_event(table->event_ctx, event);
	return 0;
}

int sockmap_table_create_without(
	unsigned pairs_max, unsigned rules_off, struct sockmap_table **ret_table, char *ret_reason)
{
	CHECK(pairs_max > 0 && pairs_max <= INT32_MAX / 4);
	struct sockmap_table *table = calloc(1, sizeof(*table));
	if (table == NULL) {
		snprintf(ret_reason, SOCKMAP_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	table->magic = MAGIC;
	table->pairs_max = pairs_max;
	table->leave_link_fd = -1;
	int error = sockmap_load(table, rules_off, ret_reason);
	if (error == 0) {
		table->events = ring_buffer__new(table->events_map_fd, on_record, table, NULL);
		if (table->events == NULL) {
			error = -errno;
			snprintf(ret_reason, SOCKMAP_REASON_MAX, "no ring buffer: %s", strerror(errno));
		}
	}
	if (error != 0) {
		sockmap_table_destroy(table);
		return error;
	}
	*ret_table = table;
	return 0;
}

int sockmap_table_create(unsigned pairs_max, struct sockmap_table **ret_table, char *ret_reason)
{
	return sockmap_table_create_without(pairs_max, 0, ret_table, ret_reason);
}

void sockmap_table_destroy(struct sockmap_table *table)
{
	if (table == NULL)
		return;
	sockmap_table_check(table);
	ring_buffer__free(table->events);
	sockmap_unload(table);
	table->magic = 0;
	free(table);
}

unsigned sockmap_table_pairs_max(const struct sockmap_table *table)
{
	return table->pairs_max;
}

void sockmap_table_set_handler(struct sockmap_table *table, sockmap_event_handler *on_event, void *ctx)
{
	sockmap_table_check(table);
	table->on_event = on_event;
	table->event_ctx = ctx;
}

int sockmap_table_events_fd(const struct sockmap_table *table)
{
	return ring_buffer__epoll_fd(table->events);
}

/* The ring was full: whose bytes may be passed unheard? */
static int sweep(struct sockmap_table *table)
{
	int found = 0;
	for (unsigned i = 0; i < 2 * table->pairs_max; i++) {
		const struct sockmap_direction *entry = &table->directions[i];
		if (entry->order.mode != SOCKMAP_REDIRECT ||
			(sockmap_direction_unread(table, i) == 0 && entry->count.trouble == 0))
			continue;
		struct sockmap_event event = {.direction = i,
			.generation = entry->order.generation,
			.cause = SOCKMAP_BEHIND,
			.trouble = entry->count.trouble};
		found++;
		if (table->on_event != NULL)
			table->on_event(table->event_ctx, &event);
	}
	return found;
}

int sockmap_table_events_read(struct sockmap_table *table)
{
	/* Before the ring: what finds it full from here on is counted for the next reading, and
	 * its ring is not empty then. */
	uint32_t unheard = __atomic_load_n(sockmap_table_check(table)->unheard, __ATOMIC_SEQ_CST);
	int count = ring_buffer__consume(table->events);
	if (count < 0 || unheard == table->unheard_seen)
		return count;
	table->unheard_seen = unheard;
	return count + sweep(table);
}

static int cookie_of(int fd, uint64_t *ret_cookie)
{
	socklen_t len = sizeof(*ret_cookie);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &len) == 0 ? 0 : -errno;
}

static int map_put(int map_fd, uint32_t key, int socket_fd)
{
	uint64_t value = (uint64_t)socket_fd;
	return bpf_map_update_elem(map_fd, &key, &value, BPF_NOEXIST) == 0 ? 0 : -errno;
}

void sockmap_verdict_await(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	if (fd >= 0)
		(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
}

static void entry_reset(struct sockmap_direction *entry, uint64_t cookie)
{
	uint32_t generation = entry->order.generation + 1;
	memset(entry, 0, sizeof(*entry));
	entry->order.cookie = cookie;
	entry->count.has_left = 1;
	__atomic_store_n(&entry->order.generation, generation, __ATOMIC_RELEASE);
}

static int pair_enter(struct sockmap_table *table, unsigned index, const int fds[2])
{
	for (unsigned d = 0; d < 2; d++) {
		uint32_t direction = index << 1 | d;
		uint64_t cookie;
		int error = cookie_of(fds[d], &cookie);
		if (error != 0)
			return error;
		if (bpf_map_update_elem(table->cookies_fd, &cookie, &direction, BPF_NOEXIST) != 0)
			return errno == E2BIG ? -ENOSPC : -errno;
		entry_reset(&table->directions[direction], cookie);
		error = map_put(table->targets_fd, direction ^ 1, fds[d]);
		if (error != 0)
			return error;
	}
	return 0;
}

int sockmap_pair_add(struct sockmap_table *table, unsigned index, const int fds[2])
{
	sockmap_table_check(table);
	CHECK(index < table->pairs_max);
	if (table->directions[index << 1].order.cookie != 0)
		return -EEXIST;
	int error = pair_enter(table, index, fds);
	if (error != 0)
		sockmap_pair_del(table, index, fds);
	return error;
}

void sockmap_pair_del(struct sockmap_table *table, unsigned index, const int fds[2])
{
	sockmap_table_check(table);
	CHECK(index < table->pairs_max);
	for (unsigned d = 0; d < 2; d++) {
		uint32_t direction = index << 1 | d;
		struct sockmap_order *order = &table->directions[direction].order;
		if (order->cookie != 0)
			(void)bpf_map_delete_elem(table->cookies_fd, &order->cookie);
		order->cookie = 0;
		order->mode = SOCKMAP_PASS;
	}
	/* A verdict that found its direction before that still uses the entry.  It is over when
	 * its socket's lock was free; later ones find none.  So the entry can be used for another
	 * pair, and never do bytes go to that one's sockets. */
	for (unsigned d = 0; d < 2; d++)
		sockmap_verdict_await(fds[d]);
	for (unsigned d = 0; d < 2; d++) {
		uint32_t direction = index << 1 | d;
		(void)bpf_map_delete_elem(table->sources_fd, &direction);
		(void)bpf_map_delete_elem(table->targets_fd, &direction);
	}
}

int sockmap_target_look(const struct sockmap_table *table, unsigned direction, struct sockmap_look *ret_look)
{
	struct sockmap_query query = {.direction = direction};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &query, .data_size_in = sizeof(query),
		.data_out = &query, .data_size_out = sizeof(query), .repeat = 1);
	if (bpf_prog_test_run_opts(table->look_fd, &run) != 0)
		return -errno;
	CHECK(run.retval == 0);
	if (!query.ret.is_there)
		return -ENOENT;
	*ret_look = query.ret;
	return 0;
}
