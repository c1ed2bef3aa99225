/* Reads the texts of /proc, of one process or thread and of the machine, into
 * numbers.  Works on text alone, so that every oddity can be tested. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* /proc/PID/stat: of the whole process, threads that ended included. */
struct proc_stat {
	char state;
	uint64_t user_ticks, system_ticks;
	uint32_t threads;
	uint64_t rss_pages;
};

/* /proc/PID/status: switches of that thread alone. */
struct proc_status {
	uint32_t tgid;
	uint64_t voluntary_switches, involuntary_switches;
};

/* /proc/PID/schedstat: of that thread alone. */
struct proc_schedstat {
	uint64_t run_ns, delay_ns;
};

/* /proc/PID/smaps_rollup. */
struct proc_memory {
	uint64_t rss_bytes, pss_bytes;
};

/* One "cpu" line of /proc/stat.  user has nice and guest in it, idle has waiting for I/O. */
struct cpu_ticks {
	uint64_t user, system, irq, softirq, steal, idle;
};

/* /proc/stat without its single CPUs. */
struct machine_stat {
	struct cpu_ticks ticks;
	uint64_t context_switches;
};

/* /proc/net/softnet_stat over all CPUs; the kernel counts modulo 2^32, so do differences. */
struct softnet_stat {
	uint32_t processed, dropped, squeezed;
};

/* /proc/meminfo. */
struct memory_stat {
	uint64_t available_bytes, slab_bytes;
};

/* /proc/net/sockstat: sockets of the namespace, pages of the machine. */
struct socket_stat {
	uint64_t tcp_inuse, tcp_pages;
};

/* All return 0, or -EINVAL when the text is not what the kernel writes; then
 * nothing is stored. */
int proc_stat_parse(const char *text, struct proc_stat *ret_stat) MUST_USE;
int proc_status_parse(const char *text, struct proc_status *ret_status) MUST_USE;
int proc_schedstat_parse(const char *text, struct proc_schedstat *ret_schedstat) MUST_USE;
int proc_memory_parse(const char *text, struct proc_memory *ret_memory) MUST_USE;
int machine_stat_parse(const char *text, struct machine_stat *ret_stat) MUST_USE;
int softnet_stat_parse(const char *text, struct softnet_stat *ret_softnet) MUST_USE;
int memory_stat_parse(const char *text, struct memory_stat *ret_memory) MUST_USE;
int socket_stat_parse(const char *text, struct socket_stat *ret_sockets) MUST_USE;
/* /proc/net/sockstat6 has no pages: they count in the other text. */
int socket6_stat_parse(const char *text, uint64_t *ret_tcp_inuse) MUST_USE;

/* The single CPUs of /proc/stat, each at the place of its number; those the text
 * does not have (offline) are zeroed, those past cpus_max are left out.  Returns
 * one more than the highest number stored, or -EINVAL. */
int machine_cpus_parse(const char *text, struct cpu_ticks *ret_cpus, size_t cpus_max) MUST_USE;

uint64_t cpu_ticks_total(const struct cpu_ticks *ticks);
