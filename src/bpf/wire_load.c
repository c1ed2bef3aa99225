/* Loads the wire programs, and says in words why it could not. */

#include "bpf/wire_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/wire.skel.h"
#pragma GCC diagnostic pop

#define BTF_PATH "/sys/kernel/btf/vmlinux"

struct capability {
	int number;
	const char *name;
};

static const struct capability capabilities[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_PERFMON, "CAP_PERFMON"},
};

/* libbpf's last complaint, for reasons that are not foreseen here. */
static _Thread_local char last_complaint[WIRE_REASON_MAX / 2];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	char line[sizeof(last_complaint)];
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	/* The verifier's log comes in between, line by line. */
	if (strncmp(line, "libbpf:", 7) == 0 && strstr(line, "LOG") == NULL)
		memcpy(last_complaint, line, sizeof(last_complaint));
	return 0;
}

/* The first capability that is not held, or NULL. */
static const char *find_missing_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_capget, &header, data) != 0)
		return NULL;
	/* CAP_SYS_ADMIN stands for the two that were split from it. */
	bool is_admin = data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
	for (size_t i = 0; i < ARRAY_LENGTH(capabilities); i++) {
		int number = capabilities[i].number;
		bool is_held = data[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number);
		if (!is_held && !(is_admin && number != CAP_NET_ADMIN))
			return capabilities[i].name;
	}
	return NULL;
}

static void explain(int error, char *ret_reason)
{
	struct utsname name = {.release = "?"};
	const char *missing = find_missing_capability();
	uname(&name);
	if (access(BTF_PATH, R_OK) != 0)
		snprintf(ret_reason, WIRE_REASON_MAX, "the kernel gives no type information (%s)", BTF_PATH);
	else if (missing != NULL)
		snprintf(ret_reason, WIRE_REASON_MAX, "the process lacks %s", missing);
	else if (error == EPERM)
		snprintf(ret_reason, WIRE_REASON_MAX,
			"bpf(2) is forbidden here (seccomp, lockdown or a container)");
	else if (error == EINVAL || error == ENOTSUP)
		snprintf(ret_reason, WIRE_REASON_MAX,
			"Linux %s does not take the programs (5.17 is needed): %s", name.release,
			last_complaint);
	else
		snprintf(ret_reason, WIRE_REASON_MAX, "the programs did not load: %s: %s", strerror(error),
			last_complaint);
}

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
	last_complaint[0] = '\0';
	/* For good: libbpf would also write what is no failure to stderr. */
	libbpf_set_print(keep_complaint);
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
		explain(-error, ret_reason);
	return error;
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
