/* How full the queues of the TCP sockets on one local port are, asked of the
 * kernel by sock_diag netlink in the network namespace of a given process. */
#pragma once

#include <stdint.h>

#include "base/status.h"

struct queues {
	int fd;
	uint16_t port;
	uint32_t sequence;
};

struct queues_reading {
	uint32_t listeners;
	uint32_t connections; /* established or in one of the closing states */
	uint64_t accept_queue, accept_queue_max; /* of all listeners together */
	uint64_t receive_queue_bytes, send_queue_bytes; /* of the connections */
};

/* Opens the question; folder_fd is the process's /proc folder.  Returns 0 or -errno:
 * -EPERM when the process is in another network namespace and this user may not
 * enter it.  Releasable after any answer. */
int queues_init(struct queues *queues, int folder_fd, uint16_t port) MUST_USE;
/* Walks the machine's tables of TCP sockets.  0 or -errno. */
int queues_read(struct queues *queues, struct queues_reading *ret_reading) MUST_USE;
void queues_release(struct queues *queues);
