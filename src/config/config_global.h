/* The global section: limits of the process, threads, log, runtime socket,
 * metrics, and what proxies inherit. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config_types.h"

enum { CONFIG_THREADS_MAX = 256, CONFIG_CPUS_MAX = 1024 };

/* Threads and the CPUs they may run on; of several entries for a thread the last counts. */
struct config_cpu_map {
	struct config_cpu_map *next;
	unsigned thread_first, thread_last; /* 1-based, inclusive */
	uint64_t cpus[16]; /* bit set, 1024 CPUs */
	bool is_auto;
};

struct config_global {
	unsigned maxconn; /* 0: derived from the fd limit at start */
	unsigned nbthread; /* 0: one per CPU the process may use */
	const char *loop; /* back end of the workers' loops: "auto" or a name of the loop's own */
	struct config_cpu_map *cpu_maps;
	unsigned ulimit_n; /* 0: derived */
	const char *pidfile, *user, *group, *chroot, *node, *description, *log_tag, *log_send_hostname;
	int uid, gid; /* -1: none */
	bool is_daemon, is_quiet, is_master;
	struct config_log *logs;
	struct config_stats_socket *stats_sockets;
	unsigned stats_maxconn; /* default 10 */
	uint32_t stats_timeout_ms; /* default 10 s */
	struct address metrics_address;
	bool has_metrics, has_haproxy_names; /* metrics bind ADDR:PORT [haproxy-names] */
	unsigned maxpipes; /* 0: derived from maxconn */
	unsigned buffer_bytes; /* relay-tuning buffer-size; the copy engine's, default 256 KiB */
	unsigned pipe_bytes; /* relay-tuning pipe-size, default 1 MiB */
	unsigned wake_bytes; /* relay-tuning wake-bytes, default 256 KiB; 0: off */
	unsigned ring_bytes; /* relay-tuning ring-size: receive buffers of a thread's ring, default 8 MiB */
	uint64_t held_bytes_max; /* relay-tuning memory-max: bytes stuck in all copy buffers, 0: derived */
	unsigned client_rcvbuf, client_sndbuf, server_rcvbuf,
		server_sndbuf; /* tune.rcvbuf.client … 0: kernel's */
	unsigned maxaccept; /* tune.maxaccept: accepts a pass, default 64 */
	const char *relay; /* default for proxies, "auto" */
	const char *const *wire_interfaces; /* NULL-terminated; NULL: all */
	unsigned wire_connections; /* 0: derived from maxconn */
	unsigned sockmap_connections; /* 0: derived from maxconn */
	bool has_wire_interfaces, has_wire_peer;
	uint32_t hard_stop_after_ms; /* 0: none */
	uint32_t hard_stop_spread_ms; /* not longer than that; 0: all at once */
	uint32_t grace_ms;
	unsigned spread_checks_percent; /* 0..50 */
	uint32_t spread_checks_max_ms; /* max-spread-checks; 0: none */
	bool is_dumpable; /* set-dumpable: the kernel may write a core file */
};
