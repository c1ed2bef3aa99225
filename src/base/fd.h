/* File descriptors: closed when their scope ends, born non-blocking. */
#pragma once

#include "base/status.h"

/* -1 is "none" everywhere. */
void fd_close(int *fd); /* closes once, sets -1; NULL-safe on *fd < 0 */
#define FD_AUTO __attribute__((cleanup(fd_close)))

/* Takes the pending error of a socket (SO_ERROR): a positive errno, 0 for none. */
int fd_pending_error(int fd);

int fd_set_nonblocking(int fd) MUST_USE; /* and CLOEXEC */
/* Raises RLIMIT_NOFILE's soft limit to at least `wanted` (hard limit too when
 * allowed); returns the soft limit in force afterwards. */
unsigned long fd_limit_raise(unsigned long wanted);
