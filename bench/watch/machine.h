/* The whole machine between two moments: processor times, softirq work, memory,
 * sockets, from /proc. */
#pragma once

#include "proc_file.h"
#include "proc_text.h"

struct machine_reading {
	struct machine_stat stat;
	struct softnet_stat softnet;
	struct memory_stat memory;
	struct socket_stat sockets; /* both families */
};

struct machine {
	int stat_fd, softnet_fd, memory_fd, sockets_fd, sockets6_fd; /* -1: the kernel has it not */
	struct machine_reading first, last;
};

/* Opens the files.  Sockets are those of the network namespace of the process whose
 * /proc folder is given.  Returns 0 or -errno when /proc/stat cannot be opened; what
 * else is missing stays 0.  Releasable after any answer. */
int machine_init(struct machine *machine, int folder_fd) MUST_USE;
void machine_start(struct machine *machine, struct proc_file *file);
/* A file that cannot be read keeps its last values. */
void machine_refresh(struct machine *machine, struct proc_file *file);
void machine_release(struct machine *machine);
