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

static int set_sizes(struct wire_bpf *skeleton, unsigned pairs_max)
{
	int error = bpf_map__set_max_entries(skeleton->maps.wire_pairs, pairs_max);
	if (error == 0)
		error = bpf_map__set_max_entries(skeleton->maps.wire_flows4, 2 * pairs_max);
	if (error == 0)
		error = bpf_map__set_max_entries(skeleton->maps.wire_flows6, 2 * pairs_max);
	return error;
}

static int map_pairs(struct wire_table *table)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	table->pairs_bytes = (table->pairs_max * sizeof(struct wire_pair) + page - 1) / page * page;
	void *pairs = mmap(NULL, table->pairs_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->pairs_fd, 0);
	if (pairs == MAP_FAILED)
		return -errno;
	table->pairs = pairs;
	return 0;
}

int wire_load(struct wire_table *table, char *ret_reason)
{
	last_complaint[0] = '\0';
	/* For good: libbpf would also write what is no failure to stderr. */
	libbpf_set_print(keep_complaint);
	struct wire_bpf *skeleton = wire_bpf__open();
	int error = skeleton == NULL ? -errno : set_sizes(skeleton, table->pairs_max);
	if (error == 0)
		error = wire_bpf__load(skeleton);
	table->skeleton = skeleton;
	if (error == 0) {
		table->ingress_fd = bpf_program__fd(skeleton->progs.wire_ingress);
		table->egress_fd = bpf_program__fd(skeleton->progs.wire_egress);
		table->snapshot_fd = bpf_program__fd(skeleton->progs.wire_snapshot);
		table->flows4_fd = bpf_map__fd(skeleton->maps.wire_flows4);
		table->flows6_fd = bpf_map__fd(skeleton->maps.wire_flows6);
		table->pairs_fd = bpf_map__fd(skeleton->maps.wire_pairs);
		table->events_map_fd = bpf_map__fd(skeleton->maps.wire_events);
		error = map_pairs(table);
	}
	if (error != 0)
		explain(-error, ret_reason);
	return error;
}

void wire_unload(struct wire_table *table)
{
	if (table->pairs != NULL)
		munmap(table->pairs, table->pairs_bytes);
	wire_bpf__destroy(table->skeleton);
	table->pairs = NULL;
	table->skeleton = NULL;
}
