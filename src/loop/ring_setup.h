/* Making a ring of io_uring, and finding out whether one would serve. */
#pragma once

#include "base/status.h"

struct io_uring;

/* With the best flags this kernel has, and disabled: the thread that enables it is
 * its only user.  Returns 0 or -errno. */
int ring_setup(struct io_uring *ring) MUST_USE;
/* From here on it is the calling thread's.  Returns 0 or -errno. */
int ring_enable(struct io_uring *ring) MUST_USE;
/* Tries it: NULL, or why a loop cannot be built on a ring here, for the operator. */
const char *ring_unavailable(void);
