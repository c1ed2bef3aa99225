/* Counts what given processes ask of the kernel: system calls, context switches,
 * wake-ups, and how long each wake-up took until the thread ran.  Everything that
 * concerns other processes leaves after one comparison.  The loader is watch_bpf.c. */

#include <linux/bpf.h>

#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "watch_shared.h"

/* The kernel's own, as far as it is read here; the loader finds the true places. */
struct task_struct {
	int pid;
	int tgid;
	int on_cpu;
} __attribute__((preserve_access_index));

/* Set before the programs are loaded; numbers of the first pid namespace. */
const volatile __u32 watched_tgids[WATCH_PROCESSES_MAX];
const volatile __u32 watched_count;

/* Nothing is counted while it is 0. */
__u32 is_counting;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WATCH_PROCESSES_MAX);
	__type(key, __u32);
	__type(value, struct watch_counts);
} counts SEC(".maps");

/* When a thread was woken, by thread; 0 once it runs.  Full: its wake-ups are
 * counted but not timed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_WAITING_MAX);
	__type(key, __u32);
	__type(value, __u64);
} woken_at SEC(".maps");

static __always_inline struct watch_counts *counts_of(__u32 tgid)
{
	if (!is_counting)
		return NULL;
#pragma unroll
	for (__u32 i = 0; i < WATCH_PROCESSES_MAX; i++) {
		__u32 slot = i;
		if (i < watched_count && watched_tgids[i] == tgid)
			return bpf_map_lookup_elem(&counts, &slot);
	}
	return NULL;
}

static __always_inline void stamp_set(__u32 tid, __u64 value)
{
	__u64 *stamp = bpf_map_lookup_elem(&woken_at, &tid);
	if (stamp)
		*stamp = value;
	else if (value != 0)
		bpf_map_update_elem(&woken_at, &tid, &value, BPF_ANY);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_syscall, void *registers, long number)
{
	struct watch_counts *mine = counts_of(bpf_get_current_pid_tgid() >> 32);
	if (!mine)
		return 0;
	mine->syscalls++;
	__u64 cell = number;
	if (cell >= WATCH_SYSCALLS)
		cell = WATCH_SYSCALLS - 1;
	mine->syscalls_by_number[cell]++;
	return 0;
}

/* The clock starts where the waker decides, not in sched_wakeup: for an idle CPU
 * that one comes only after the interrupt that wakes it has arrived. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	if (counts_of(task->tgid))
		stamp_set(task->pid, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct watch_counts *mine = counts_of(task->tgid);
	if (!mine)
		return 0;
	/* Woken before it had left its CPU: it never waited. */
	if (bpf_core_field_exists(task->on_cpu) && task->on_cpu)
		stamp_set(task->pid, 0);
	else
		mine->wakeups++;
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	struct watch_counts *mine = counts_of(task->tgid);
	if (!mine)
		return 0;
	mine->wakeups++;
	stamp_set(task->pid, bpf_ktime_get_ns());
	return 0;
}

static __always_inline void wake_end(struct task_struct *task)
{
	struct watch_counts *mine = counts_of(task->tgid);
	__u32 tid = task->pid;
	if (!mine)
		return;
	__u64 *stamp = bpf_map_lookup_elem(&woken_at, &tid);
	if (!stamp || *stamp == 0)
		return;
	__u64 latency_ns = bpf_ktime_get_ns() - *stamp;
	*stamp = 0;
	__u32 cell = watch_cell(latency_ns);
	if (cell >= WATCH_CELLS)
		return;
	mine->wake_cells[cell]++;
	if (latency_ns > mine->wake_highest_ns)
		mine->wake_highest_ns = latency_ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool is_preempted, struct task_struct *previous, struct task_struct *next,
	unsigned int previous_state)
{
	struct watch_counts *mine = counts_of(previous->tgid);
	if (mine && !is_preempted && previous_state != 0)
		mine->voluntary_switches++;
	else if (mine)
		mine->involuntary_switches++;
	wake_end(next);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tid = task->pid;
	if (counts_of(task->tgid))
		bpf_map_delete_elem(&woken_at, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
