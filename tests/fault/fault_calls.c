/* The calls as the linker leads them here (--wrap). */

#include "fault_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
int __real_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags);
int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __real_socket(int domain, int type, int protocol);
int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __real_pipe2(int ends[2], int flags);

static struct {
	enum fault_call call;
	unsigned position;
	int error;
	bool is_armed, is_inside, has_struck;
	unsigned counts[FAULT_CALLS];
	long blocks;
} fault;

void fault_arm(enum fault_call call, unsigned position, int error)
{
	fault.call = call;
	fault.position = position;
	fault.error = error;
	fault.has_struck = false;
	fault.is_armed = true;
	for (unsigned i = 0; i < FAULT_CALLS; i++)
		fault.counts[i] = 0;
}

void fault_disarm(void)
{
	fault.is_armed = false;
}

void fault_enter(void)
{
	fault.is_inside = true;
}

void fault_leave(void)
{
	fault.is_inside = false;
}

unsigned fault_count(enum fault_call call)
{
	return fault.counts[call];
}

bool fault_has_struck(void)
{
	return fault.has_struck;
}

long fault_blocks(void)
{
	return fault.blocks;
}

/* Counts the call; true with errno set when this is the one. */
static bool strikes(enum fault_call call)
{
	if (!fault.is_inside || !fault.is_armed)
		return false;
	fault.counts[call]++;
	if (call != fault.call || fault.counts[call] != fault.position)
		return false;
	fault.has_struck = true;
	errno = fault.error;
	return true;
}

static void *block(void *memory)
{
	fault.blocks += fault.is_inside && memory != NULL;
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return strikes(FAULT_MALLOC) ? NULL : block(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return strikes(FAULT_CALLOC) ? NULL : block(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return strikes(FAULT_ALIGNED_ALLOC) ? NULL : block(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *memory)
{
	fault.blocks -= fault.is_inside && memory != NULL;
	__real_free(memory);
}

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
	return strikes(FAULT_ACCEPT) ? -1 : __real_accept4(fd, peer, len, flags);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	return strikes(FAULT_CONNECT) ? -1 : __real_connect(fd, address, len);
}

int __wrap_socket(int domain, int type, int protocol)
{
	return strikes(FAULT_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && strikes(FAULT_EPOLL))
		return -1;
	return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

int __wrap_pipe2(int ends[2], int flags)
{
	return strikes(FAULT_PIPE) ? -1 : __real_pipe2(ends, flags);
}
