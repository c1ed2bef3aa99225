/* Calls of the proxy that can be made to fail: the N-th of a kind, with an errno
 * of choice.  Counts only between fault_enter() and fault_leave(), so that the
 * test's own calls are not meant. */
#pragma once

#include <stdbool.h>

enum fault_call {
	FAULT_MALLOC,
	FAULT_CALLOC,
	FAULT_ALIGNED_ALLOC,
	FAULT_ACCEPT,
	FAULT_CONNECT,
	FAULT_SOCKET,
	FAULT_EPOLL, /* adding and changing; the kernel never refuses to remove */
	FAULT_PIPE,
	FAULT_CALLS
};

/* Call number `position` (from 1) fails with `error`; 0: none does. */
void fault_arm(enum fault_call call, unsigned position, int error);
/* From now on nothing fails and nothing is counted. */
void fault_disarm(void);
void fault_enter(void);
void fault_leave(void);
/* Calls of that kind since fault_arm(). */
unsigned fault_count(enum fault_call call);
bool fault_has_struck(void);
/* Blocks of the proxy that were allocated and not freed. */
long fault_blocks(void);
