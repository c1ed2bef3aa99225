/* Loads the socket relay programs, and says in words why it could not. */

#include "bpf/sockmap_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "bpf/refusal.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/sockmap.skel.h"
#pragma GCC diagnostic pop

enum { RECORD_BYTES = 8 + sizeof(struct sockmap_event), RECORDS_PER_DIRECTION = 2 };

/* A power of two of whole pages. */
static uint32_t ring_bytes(unsigned directions)
{
	uint64_t wanted = (uint64_t)directions * RECORDS_PER_DIRECTION * RECORD_BYTES;
	uint64_t bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	while (bytes < wanted && bytes < 1u << 31)
		bytes *= 2;
	return (uint32_t)bytes;
}

static int set_sizes(struct sockmap_bpf *skeleton, unsigned directions)
{
	struct bpf_map *const maps[] = {skeleton->maps.sockmap_sources, skeleton->maps.sockmap_targets,
		skeleton->maps.sockmap_cookies, skeleton->maps.sockmap_directions};
	for (size_t i = 0; i < ARRAY_LENGTH(maps); i++) {
		int error = bpf_map__set_max_entries(maps[i], directions);
		if (error != 0)
			return error;
	}
	return bpf_map__set_max_entries(skeleton->maps.sockmap_events, ring_bytes(directions));
}

static int map_directions(struct sockmap_table *table)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = 2 * (size_t)table->pairs_max * sizeof(struct sockmap_direction);
	table->directions_bytes = (bytes + page - 1) / page * page;
	void *directions = mmap(
		NULL, table->directions_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->directions_fd, 0);
	if (directions == MAP_FAILED)
		return -errno;
	table->directions = directions;
	return 0;
}

static int attach(struct sockmap_table *table)
{
	struct sockmap_bpf *skeleton = table->skeleton;
	int verdict = bpf_program__fd(skeleton->progs.sockmap_verdict);
	if (bpf_prog_attach(verdict, table->sources_fd, BPF_SK_SKB_STREAM_VERDICT, 0) != 0)
		return -errno;
	table->leave_link_fd =
		bpf_link_create(bpf_program__fd(skeleton->progs.sockmap_leave), 0, BPF_TRACE_ITER, NULL);
	return table->leave_link_fd < 0 ? -errno : 0;
}

static int load(struct sockmap_table *table, unsigned rules_off)
{
	struct sockmap_bpf *skeleton = sockmap_bpf__open();
	if (skeleton == NULL)
		return -errno;
	table->skeleton = skeleton;
	skeleton->rodata->sockmap_rules_off = rules_off;
	int error = set_sizes(skeleton, 2 * table->pairs_max);
	if (error == 0)
		error = sockmap_bpf__load(skeleton);
	if (error != 0)
		return error;
	table->sources_fd = bpf_map__fd(skeleton->maps.sockmap_sources);
	table->targets_fd = bpf_map__fd(skeleton->maps.sockmap_targets);
	table->cookies_fd = bpf_map__fd(skeleton->maps.sockmap_cookies);
	table->directions_fd = bpf_map__fd(skeleton->maps.sockmap_directions);
	table->events_map_fd = bpf_map__fd(skeleton->maps.sockmap_events);
	table->look_fd = bpf_program__fd(skeleton->progs.sockmap_look);
	table->unheard = &skeleton->bss->sockmap_unheard;
	error = attach(table);
	return error != 0 ? error : map_directions(table);
}

int sockmap_load(struct sockmap_table *table, unsigned rules_off, char *ret_reason)
{
	struct utsname name;
	CHECK(uname(&name) == 0);
	if (!sockmap_kernel_is_fit(name.release, name.version)) {
		snprintf(ret_reason, SOCKMAP_REASON_MAX,
			"the sockmap of Linux %.64s loses bytes (6.1.147, 6.12.35 or 6.16 is needed)",
			name.release);
		return -EOPNOTSUPP;
	}
	refusal_listen();
	int error = load(table, rules_off);
	if (error != 0)
		refusal_explain(-error, "6.1", ret_reason, SOCKMAP_REASON_MAX);
	return error;
}

void sockmap_unload(struct sockmap_table *table)
{
	if (table->directions != NULL)
		munmap(table->directions, table->directions_bytes);
	fd_close(&table->leave_link_fd);
	sockmap_bpf__destroy(table->skeleton);
	table->directions = NULL;
	table->skeleton = NULL;
}
