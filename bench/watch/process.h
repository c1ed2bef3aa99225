/* One watched process with all its threads: what it used between two moments, from
 * /proc.  Held open by its folder, so that a number given to another process
 * later is never mistaken for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc_file.h"
#include "proc_text.h"

/* What the kernel keeps for each thread only. */
struct thread_use {
	uint64_t run_ns, delay_ns;
	uint64_t voluntary_switches, involuntary_switches;
};

struct process_thread {
	uint32_t tid;
	bool is_seen; /* in the reading under way */
	struct thread_use base, last;
};

struct process {
	pid_t pid;
	int folder_fd; /* /proc/PID */
	int stat_fd;
	int pid_fd; /* readable once the process has ended */
	bool is_started, is_ended;
	struct proc_stat first, last;
	uint64_t rss_start_bytes, rss_bytes;
	bool has_pss;
	uint64_t pss_start_bytes, pss_bytes;
	struct process_thread *threads;
	uint32_t threads_used, threads_size;
	struct thread_use gone; /* of threads that ended since the start */
};

/* Opens the process.  -ESRCH: there is none; -EINVAL: the number is a thread's of
 * another process; else what open(2) says.  The object is releasable after any answer. */
int process_init(struct process *process, pid_t pid, struct proc_file *file) MUST_USE;
/* Takes the first reading: everything counts from here. */
void process_start(struct process *process, struct proc_file *file);
/* Takes a reading.  To be called several times a second: the times, switches and
 * delays of a thread that ends count up to the last reading before.  A process
 * found ended keeps its last values. */
void process_refresh(struct process *process, struct proc_file *file);
/* Reads RSS and PSS, which walks the page tables: for the beginning and the end. */
void process_memory_refresh(struct process *process, struct proc_file *file);
/* Since the start, of all threads. */
struct thread_use process_use(const struct process *process);
void process_release(struct process *process);
