/* What given processes and the whole machine cost during a stretch of time: the
 * body of `splicebench watch`, for other C code too.  One thread uses one watch. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "machine.h"
#include "process.h"
#include "watch_bpf.h"

enum {
	WATCH_REASON_MAX = 160,
	WATCH_REFRESH_MS = 100, /* how often the caller should call watch_refresh() */
};

enum watch_source { WATCH_SOURCE_AUTO, WATCH_SOURCE_BPF, WATCH_SOURCE_PROC };

struct watch {
	struct process processes[WATCH_PROCESSES_MAX];
	size_t processes_used;
	struct machine machine;
	struct watch_bpf *bpf; /* NULL: /proc alone */
	char why_not_bpf[WATCH_REASON_MAX];
	struct proc_file file;
	uint64_t started_us, own_cpu_started_us;
};

struct watch_latency {
	double p50_us, p90_us, p99_us, max_us;
	uint64_t count;
};

struct watch_syscall {
	uint32_t number;
	uint64_t count;
};

enum { WATCH_SYSCALLS_TOP = 10 };

/* Times in seconds, since the start.  What is marked (bpf) is 0 without it. */
struct watch_process_report {
	pid_t pid;
	bool is_ended; /* before the end: its last values are here */
	uint32_t threads;
	double user_s, system_s;
	double run_s, run_delay_s; /* on a CPU; ready and waiting for one (both from schedstat) */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t syscalls, wakeups; /* (bpf) */
	struct watch_syscall syscalls_top[WATCH_SYSCALLS_TOP]; /* (bpf) most frequent first; count 0 ends */
	struct watch_latency wake_latency; /* (bpf) from the waker's decision until the thread runs */
	uint64_t rss_start_bytes, rss_bytes;
	bool has_pss; /* false: the kernel does not show it to this user */
	uint64_t pss_start_bytes, pss_bytes;
};

struct watch_machine_report {
	long cpus;
	double user_s, system_s, irq_s, softirq_s, steal_s, idle_s; /* of all CPUs together */
	uint64_t context_switches;
	struct softnet_stat softnet;
	struct memory_stat memory_start, memory_end;
	struct socket_stat sockets_start, sockets_end;
};

struct watch_report {
	double seconds;
	double own_cpu_s; /* what the watching thread's process itself used meanwhile */
	bool is_bpf;
	const char *why_not_bpf; /* NULL with BPF; lives as long as the watch */
	size_t processes_used;
	struct watch_process_report processes[WATCH_PROCESSES_MAX];
	struct watch_machine_report machine;
};

/* Opens the processes (at most WATCH_PROCESSES_MAX, all different) and loads the BPF
 * program when it can be had.  Returns 0, or -errno with one sentence in ret_reason
 * (WATCH_REASON_MAX bytes).  Releasable after any answer. */
int watch_init(struct watch *watch, const pid_t *pids, size_t count, enum watch_source source,
	char *ret_reason) MUST_USE;
/* Everything counts from here. */
void watch_start(struct watch *watch);
/* To be called about every WATCH_REFRESH_MS; a thread or process that ends counts up to the last call before. */
void watch_refresh(struct watch *watch);
/* Ends the stretch and says what it cost. */
void watch_stop(struct watch *watch, struct watch_report *ret_report);
void watch_release(struct watch *watch);

/* The latency below which that share (0..1) of the counted wake-ups lie. */
double watch_quantile_us(const struct watch_counts *counts, double share);
