/* Start, stop and the differences between them: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static uint64_t own_cpu_us(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000 +
		(uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
}

static void process_refusal_explain(pid_t pid, int error, char *ret_reason)
{
	if (error == -ESRCH)
		snprintf(ret_reason, WATCH_REASON_MAX, "there is no process %d that this user may see",
			(int)pid);
	else if (error == -EINVAL)
		snprintf(ret_reason, WATCH_REASON_MAX, "%d is a thread; name its process", (int)pid);
	else
		snprintf(ret_reason, WATCH_REASON_MAX, "process %d cannot be watched: %s", (int)pid,
			strerror(-error));
}

static int processes_init(struct watch *watch, const pid_t *pids, size_t count, char *ret_reason)
{
	for (size_t i = 0; i < count; i++) {
		int result = process_init(&watch->processes[i], pids[i], &watch->file);
		watch->processes_used = i + 1;
		if (result < 0) {
			process_refusal_explain(pids[i], result, ret_reason);
			return result;
		}
	}
	return 0;
}

static int bpf_init(struct watch *watch, const pid_t *pids, enum watch_source source, char *ret_reason)
{
	if (source == WATCH_SOURCE_PROC) {
		snprintf(watch->why_not_bpf, WATCH_REASON_MAX, "BPF was not asked for");
		return 0;
	}
	watch->bpf = watch_bpf_create(pids, watch->processes_used, watch->why_not_bpf, WATCH_REASON_MAX);
	if (watch->bpf != NULL || source == WATCH_SOURCE_AUTO)
		return 0;
	memcpy(ret_reason, watch->why_not_bpf, WATCH_REASON_MAX);
	return -EOPNOTSUPP;
}

int watch_init(
	struct watch *watch, const pid_t *pids, size_t count, enum watch_source source, char *ret_reason)
{
	CHECK(count > 0 && count <= WATCH_PROCESSES_MAX);
	*watch = (struct watch){.machine = {-1, -1, -1, -1, -1}};
	int result = processes_init(watch, pids, count, ret_reason);
	if (result < 0)
		return result;
	result = machine_init(&watch->machine, watch->processes[0].folder_fd);
	if (result < 0) {
		snprintf(ret_reason, WATCH_REASON_MAX, "/proc/stat cannot be read: %s", strerror(-result));
		return result;
	}
	return bpf_init(watch, pids, source, ret_reason);
}

void watch_start(struct watch *watch)
{
	for (size_t i = 0; i < watch->processes_used; i++)
		process_start(&watch->processes[i], &watch->file);
	machine_start(&watch->machine, &watch->file);
	watch->own_cpu_started_us = own_cpu_us();
	watch->started_us = clock_monotonic_us();
	if (watch->bpf != NULL)
		watch_bpf_start(watch->bpf);
}

void watch_refresh(struct watch *watch)
{
	for (size_t i = 0; i < watch->processes_used; i++)
		process_refresh(&watch->processes[i], &watch->file);
}

static double ticks_to_s(uint64_t first, uint64_t last)
{
	/* A counter may step back a little when a CPU leaves: then nothing was counted. */
	return last > first ? (double)(last - first) / (double)sysconf(_SC_CLK_TCK) : 0;
}

static void process_report(const struct process *process, struct watch_process_report *ret_report)
{
	struct thread_use use = process_use(process);
	*ret_report = (struct watch_process_report){
		.pid = process->pid,
		.is_ended = process->is_ended,
		.threads = process->last.threads,
		.user_s = ticks_to_s(process->first.user_ticks, process->last.user_ticks),
		.system_s = ticks_to_s(process->first.system_ticks, process->last.system_ticks),
		.run_s = (double)use.run_ns / 1e9,
		.run_delay_s = (double)use.delay_ns / 1e9,
		.voluntary_switches = use.voluntary_switches,
		.involuntary_switches = use.involuntary_switches,
		.rss_start_bytes = process->rss_start_bytes,
		.rss_bytes = process->rss_bytes,
		.has_pss = process->has_pss,
		.pss_start_bytes = process->pss_start_bytes,
		.pss_bytes = process->pss_bytes,
	};
}

/* Puts one number into the list, most frequent first, if it belongs there. */
static void syscall_rank(struct watch_syscall *top, struct watch_syscall candidate)
{
	for (size_t i = 0; i < WATCH_SYSCALLS_TOP; i++) {
		if (candidate.count <= top[i].count)
			continue;
		struct watch_syscall pushed = top[i];
		top[i] = candidate;
		candidate = pushed;
	}
}

double watch_quantile_us(const struct watch_counts *counts, double share)
{
	uint64_t total = 0, seen = 0;
	for (uint32_t cell = 0; cell < WATCH_CELLS; cell++)
		total += counts->wake_cells[cell];
	for (uint32_t cell = 0; cell < WATCH_CELLS; cell++) {
		seen += counts->wake_cells[cell];
		if ((double)seen > share * (double)total) {
			uint64_t value = watch_cell_value(cell);
			return (double)(value < counts->wake_highest_ns ? value : counts->wake_highest_ns) /
				1e3;
		}
	}
	return (double)counts->wake_highest_ns / 1e3;
}

/* What BPF counted also has threads in it that lived between two readings of /proc. */
static void counts_report(const struct watch_counts *counts, struct watch_process_report *report)
{
	report->syscalls = counts->syscalls;
	report->wakeups = counts->wakeups;
	report->voluntary_switches = counts->voluntary_switches;
	report->involuntary_switches = counts->involuntary_switches;
	for (uint32_t number = 0; number < WATCH_SYSCALLS; number++)
		syscall_rank(report->syscalls_top,
			(struct watch_syscall){number, counts->syscalls_by_number[number]});
	struct watch_latency *latency = &report->wake_latency;
	for (uint32_t cell = 0; cell < WATCH_CELLS; cell++)
		latency->count += counts->wake_cells[cell];
	latency->p50_us = watch_quantile_us(counts, 0.5);
	latency->p90_us = watch_quantile_us(counts, 0.9);
	latency->p99_us = watch_quantile_us(counts, 0.99);
	latency->max_us = (double)counts->wake_highest_ns / 1e3;
}

static void machine_report(const struct machine *machine, struct watch_machine_report *ret_report)
{
	const struct machine_reading *first = &machine->first, *last = &machine->last;
	const struct cpu_ticks *from = &first->stat.ticks, *to = &last->stat.ticks;
	*ret_report = (struct watch_machine_report){
		.cpus = sysconf(_SC_NPROCESSORS_ONLN),
		.user_s = ticks_to_s(from->user, to->user),
		.system_s = ticks_to_s(from->system, to->system),
		.irq_s = ticks_to_s(from->irq, to->irq),
		.softirq_s = ticks_to_s(from->softirq, to->softirq),
		.steal_s = ticks_to_s(from->steal, to->steal),
		.idle_s = ticks_to_s(from->idle, to->idle),
		.context_switches = last->stat.context_switches - first->stat.context_switches,
		.softnet = {last->softnet.processed - first->softnet.processed,
			last->softnet.dropped - first->softnet.dropped,
			last->softnet.squeezed - first->softnet.squeezed},
		.memory_start = first->memory,
		.memory_end = last->memory,
		.sockets_start = first->sockets,
		.sockets_end = last->sockets,
	};
}

static void bpf_report(struct watch *watch, struct watch_report *report)
{
	report->is_bpf = watch->bpf != NULL;
	for (size_t i = 0; i < watch->processes_used && report->is_bpf; i++) {
		struct watch_counts counts;
		int result = watch_bpf_read(watch->bpf, i, &counts);
		if (result == 0) {
			counts_report(&counts, &report->processes[i]);
			continue;
		}
		report->is_bpf = false;
		snprintf(watch->why_not_bpf, WATCH_REASON_MAX, "what BPF counted could not be read: %s",
			strerror(-result));
	}
	report->why_not_bpf = report->is_bpf ? NULL : watch->why_not_bpf;
}

void watch_stop(struct watch *watch, struct watch_report *ret_report)
{
	if (watch->bpf != NULL)
		watch_bpf_stop(watch->bpf);
	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->seconds = (double)(clock_monotonic_us() - watch->started_us) / 1e6;
	ret_report->own_cpu_s = (double)(own_cpu_us() - watch->own_cpu_started_us) / 1e6;
	machine_refresh(&watch->machine, &watch->file);
	watch_refresh(watch);
	ret_report->processes_used = watch->processes_used;
	for (size_t i = 0; i < watch->processes_used; i++) {
		process_memory_refresh(&watch->processes[i], &watch->file);
		process_report(&watch->processes[i], &ret_report->processes[i]);
	}
	machine_report(&watch->machine, &ret_report->machine);
	bpf_report(watch, ret_report);
}

void watch_release(struct watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; i < watch->processes_used; i++)
		process_release(&watch->processes[i]);
	watch->processes_used = 0;
	machine_release(&watch->machine);
	watch_bpf_destroy(watch->bpf);
	watch->bpf = NULL;
	proc_file_release(&watch->file);
}
