/* Loads the wire programs, and says in words why it could not. */

#include "bpf/wire_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "bpf/refusal.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/wire.skel.h"
#pragma GCC diagnostic pop

#define KERNEL_NEEDED "5.17"

/* Half of the slots are in use when all pairs are. */
static int set_sizes(struct wire_table *table, struct wire_bpf *skeleton)
{
	table->buckets_count = table->pairs_max / (WIRE_SLOTS / 4) + 1;
	if (getrandom(&table->seed, sizeof(table->seed), 0) != sizeof(table->seed))
		return -EIO;
	skeleton->rodata->wire_buckets = table->buckets_count;
	skeleton->rodata->wire_seed = table->seed;
	int error = bpf_map__set_max_entries(skeleton->maps.wire_pairs, table->pairs_max);
	if (error == 0)
		error = bpf_map__set_max_entries(skeleton->maps.wire_index, table->buckets_count);
	return error;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

static int map_one(const struct bpf_map *map, size_t bytes, void **ret_memory)
{
	void *memory =
		mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static int map_tables(struct wire_table *table, const struct wire_bpf *skeleton)
{
	void *memory;
	int error = map_one(skeleton->maps.wire_pairs, table->pairs_max * sizeof(struct wire_pair), &memory);
	if (error != 0)
		return error;
	table->pairs = memory;
	error = map_one(
		skeleton->maps.wire_index, table->buckets_count * sizeof(struct wire_bucket), &memory);
	if (error == 0)
		table->buckets = memory;
	return error;
}

int wire_load(struct wire_table *table, char *ret_reason)
{
	refusal_listen();
	struct wire_bpf *skeleton = wire_bpf__open();
	int error = skeleton == NULL ? -errno : set_sizes(table, skeleton);
	if (error == 0)
		error = wire_bpf__load(skeleton);
	table->skeleton = skeleton;
	if (error == 0) {
		table->ingress_fd = bpf_program__fd(skeleton->progs.wire_ingress);
		table->egress_fd = bpf_program__fd(skeleton->progs.wire_egress);
		table->snapshot_fd = bpf_program__fd(skeleton->progs.wire_snapshot);
		table->events_map_fd = bpf_map__fd(skeleton->maps.wire_events);
		error = map_tables(table, skeleton);
	}
	if (error != 0)
		refusal_explain(-error, KERNEL_NEEDED, ret_reason, WIRE_REASON_MAX);
	return error;
}

uint64_t wire_heartbeat_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void wire_heartbeat_set(struct wire_table *table, uint64_t now_ns)
{
	__atomic_store_n(&table->skeleton->bss->wire_heartbeat_ns, now_ns, __ATOMIC_RELAXED);
}

void wire_unload(struct wire_table *table)
{
	if (table->pairs != NULL)
		munmap(table->pairs, whole_pages(table->pairs_max * sizeof(struct wire_pair)));
	if (table->buckets != NULL)
		munmap(table->buckets, whole_pages(table->buckets_count * sizeof(struct wire_bucket)));
	wire_bpf__destroy(table->skeleton);
	table->pairs = NULL;
	table->buckets = NULL;
	table->skeleton = NULL;
}
