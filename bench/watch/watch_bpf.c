/* The loader of watch_bpf.h, over the skeleton that bpftool makes. */
#include "watch_bpf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "watch.skel.h"
#pragma GCC diagnostic pop

#include "base/check.h"

/* The number of the first pid namespace, fixed in the kernel: PROC_PID_INIT_INO. */
enum { PID_NAMESPACE_FIRST = (int)0xEFFFFFFC };
static const char btf_path[] = "/sys/kernel/btf/vmlinux";

struct watch_bpf {
	struct watch_bpf_object *object;
	int cpus;
	struct watch_counts *per_cpu; /* room for one reading */
};

/* libbpf's own words are for its developers. */
static int on_libbpf_text(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

/* The program compares numbers of the first pid namespace. */
static bool is_first_pid_namespace(void)
{
	struct stat status;
	return stat("/proc/self/ns/pid", &status) == 0 &&
		status.st_ino == (ino_t)(unsigned)PID_NAMESPACE_FIRST;
}

static const char *failure_explain(int error)
{
	if (error == -EPERM || error == -EACCES)
		return "the kernel refused to load the BPF program: it needs root, or CAP_BPF with CAP_PERFMON";
	if (error == -ENOSYS || error == -EOPNOTSUPP)
		return "this kernel has no BPF tracing";
	if (error == -ENOMEM)
		return "there was no memory for the BPF program";
	return NULL;
}

static int object_load(struct watch_bpf *bpf, const pid_t *pids, size_t count)
{
	bpf->object = watch_bpf_object__open();
	if (bpf->object == NULL)
		return -errno;
	for (size_t i = 0; i < count; i++)
		bpf->object->rodata->watched_tgids[i] = (__u32)pids[i];
	bpf->object->rodata->watched_count = (__u32)count;
	int result = bpf_map__set_max_entries(bpf->object->maps.counts, (__u32)count);
	if (result == 0)
		result = watch_bpf_object__load(bpf->object);
	if (result == 0)
		result = watch_bpf_object__attach(bpf->object);
	return result;
}

static int object_create(struct watch_bpf *bpf, const pid_t *pids, size_t count)
{
	bpf->cpus = libbpf_num_possible_cpus();
	if (bpf->cpus < 0)
		return bpf->cpus;
	bpf->per_cpu = calloc((size_t)bpf->cpus, sizeof(*bpf->per_cpu));
	if (bpf->per_cpu == NULL)
		return -ENOMEM;
	return object_load(bpf, pids, count);
}

struct watch_bpf *watch_bpf_create(const pid_t *pids, size_t count, char *ret_reason, size_t reason_size)
{
	CHECK(count > 0 && count <= WATCH_PROCESSES_MAX);
	if (!is_first_pid_namespace()) {
		snprintf(ret_reason, reason_size,
			"processes cannot be told apart by BPF inside a pid namespace");
		return NULL;
	}
	if (access(btf_path, R_OK) != 0) {
		snprintf(
			ret_reason, reason_size, "this kernel has no BTF: %s: %s", btf_path, strerror(errno));
		return NULL;
	}
	struct watch_bpf *bpf = calloc(1, sizeof(*bpf));
	if (bpf == NULL) {
		snprintf(ret_reason, reason_size, "there was no memory for the BPF program");
		return NULL;
	}
	libbpf_set_print(on_libbpf_text);
	int result = object_create(bpf, pids, count);
	if (result == 0)
		return bpf;
	const char *explained = failure_explain(result);
	if (explained != NULL)
		snprintf(ret_reason, reason_size, "%s", explained);
	else
		snprintf(ret_reason, reason_size, "this kernel did not take the BPF program: %s",
			strerror(-result));
	watch_bpf_destroy(bpf);
	return NULL;
}

void watch_bpf_start(struct watch_bpf *bpf)
{
	__atomic_store_n(&bpf->object->bss->is_counting, 1, __ATOMIC_RELEASE);
}

void watch_bpf_stop(struct watch_bpf *bpf)
{
	__atomic_store_n(&bpf->object->bss->is_counting, 0, __ATOMIC_RELEASE);
}

static void counts_add(struct watch_counts *sum, const struct watch_counts *more)
{
	sum->syscalls += more->syscalls;
	sum->voluntary_switches += more->voluntary_switches;
	sum->involuntary_switches += more->involuntary_switches;
	sum->wakeups += more->wakeups;
	if (more->wake_highest_ns > sum->wake_highest_ns)
		sum->wake_highest_ns = more->wake_highest_ns;
	for (size_t i = 0; i < WATCH_SYSCALLS; i++)
		sum->syscalls_by_number[i] += more->syscalls_by_number[i];
	for (size_t i = 0; i < WATCH_CELLS; i++)
		sum->wake_cells[i] += more->wake_cells[i];
}

int watch_bpf_read(struct watch_bpf *bpf, size_t place, struct watch_counts *ret_counts)
{
	__u32 key = (__u32)place;
	size_t bytes = (size_t)bpf->cpus * sizeof(*bpf->per_cpu);
	int result =
		bpf_map__lookup_elem(bpf->object->maps.counts, &key, sizeof(key), bpf->per_cpu, bytes, 0);
	if (result < 0)
		return result;
	memset(ret_counts, 0, sizeof(*ret_counts));
	for (int i = 0; i < bpf->cpus; i++)
		counts_add(ret_counts, &bpf->per_cpu[i]);
	return 0;
}

void watch_bpf_destroy(struct watch_bpf *bpf)
{
	if (bpf == NULL)
		return;
	watch_bpf_object__destroy(bpf->object);
	free(bpf->per_cpu);
	free(bpf);
}
