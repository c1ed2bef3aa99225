/* Pipes, time and memory as the proxy gets them in the simulation. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "net_calls.h"
#include "net_internal.h"
#include "sim_params.h"

static int refuse(int error)
{
	errno = error;
	return -1;
}

/* --- pipes --- */

int __wrap_pipe2(int ends[2], int flags)
{
	SIM_CHECK((flags & O_NONBLOCK) && (flags & O_CLOEXEC), "a pipe with flags %d", flags);
	net_totals.calls++;
	if (net_injects(sim_params.fault_pipe))
		return refuse(sim_chance(500) ? EMFILE : ENFILE);
	ends[0] = net_fd_open(FD_PIPE_READ);
	ends[1] = net_fd_open(FD_PIPE_WRITE);
	net_fd_of(ends[0])->pipe_other = ends[1];
	net_fd_of(ends[1])->pipe_other = ends[0];
	net_fd_of(ends[0])->pipe_capacity = 4096;
	net_fd_of(ends[0])->pipe_bytes = 0;
	return 0;
}

static struct net_fd *pipe_of(int fd, enum fd_kind kind)
{
	struct net_fd *entry = net_fd_of(fd);
	if (entry == NULL || entry->kind != kind)
		return NULL;
	return kind == FD_PIPE_READ ? entry : net_fd_of(entry->pipe_other);
}

static int pipe_size(int fd, int command, int size)
{
	struct net_fd *pipe = net_fd_of(fd) != NULL ? pipe_of(fd, net_fd_of(fd)->kind) : NULL;
	SIM_CHECK(pipe != NULL && (command == F_SETPIPE_SZ || command == F_GETPIPE_SZ), "fcntl %d on fd %d",
		command, fd);
	if (command == F_SETPIPE_SZ) {
		if (net_injects(sim_params.fault_pipe))
			return refuse(EPERM);
		pipe->pipe_capacity = (uint32_t)size;
	}
	return (int)pipe->pipe_capacity;
}

int __wrap_fcntl(int fd, int command, ...)
{
	__builtin_va_list arguments;
	__builtin_va_start(arguments, command);
	int size = __builtin_va_arg(arguments, int);
	__builtin_va_end(arguments);
	return pipe_size(fd, command, size);
}

int __wrap_fcntl64(int fd, int command, ...)
{
	__builtin_va_list arguments;
	__builtin_va_start(arguments, command);
	int size = __builtin_va_arg(arguments, int);
	__builtin_va_end(arguments);
	return pipe_size(fd, command, size);
}

static ssize_t splice_in(struct net_connection *source, struct net_fd *pipe, size_t size)
{
	uint32_t free_bytes = pipe->pipe_capacity - pipe->pipe_bytes;
	uint32_t len = net_readable(source);
	if (len > 0 && (free_bytes == 0 || pipe->parts_count == PIPE_PARTS_MAX))
		return refuse(EAGAIN);
	if (len == 0)
		return net_read_end(source);
	if (len > free_bytes)
		len = free_bytes;
	if (len > size)
		len = (uint32_t)size;
	/* A pipe has so many slots of a page, which are seldom full. */
	if (sim_chance(300))
		len = 1 + sim_below(len);
	pipe->parts[pipe->parts_count++] = (struct pipe_part){source, source->in.taken, len};
	pipe->pipe_bytes += len;
	net_taken(source, len);
	SIM_TRACE("splice %u bytes from %u", len, source->id);
	return len;
}

static void part_drop(struct net_fd *pipe, uint32_t len)
{
	struct pipe_part *part = &pipe->parts[0];
	part->position += len;
	part->len -= len;
	pipe->pipe_bytes -= len;
	if (part->len > 0)
		return;
	pipe->parts_count--;
	memmove(pipe->parts, pipe->parts + 1, pipe->parts_count * sizeof(pipe->parts[0]));
}

static ssize_t splice_out(struct net_fd *pipe, struct net_connection *target, size_t size)
{
	int error = net_write_error(target);
	if (pipe->pipe_bytes == 0)
		return pipe->pipe_other < 0 ? 0 : refuse(EAGAIN);
	if (error != 0)
		return refuse(error);
	const struct pipe_part *part = &pipe->parts[0];
	uint32_t len = net_send_some(target, part->len < size ? part->len : size);
	if (len == 0)
		return refuse(EAGAIN);
	net_order_check(target, part->source, part->position, len);
	part_drop(pipe, len);
	net_sent(target, len);
	SIM_TRACE("splice %u bytes to %u", len, target->id);
	return len;
}

ssize_t __wrap_splice(
	int from, const off_t *from_offset, int to, const off_t *to_offset, size_t len, unsigned flags)
{
	SIM_CHECK(
		from_offset == NULL && to_offset == NULL && (flags & SPLICE_F_NONBLOCK), "splice %u", flags);
	net_totals.calls++;
	net_jitter(sim_chance(500) ? from : to);
	if (!sim_params.is_splice_usable)
		return refuse(EINVAL);
	if (net_fd_of(from) != NULL && net_fd_of(from)->kind == FD_NEW)
		return refuse(ENOTCONN);
	if (net_injects(sim_params.fault_eintr))
		return refuse(EINTR);
	struct net_connection *source = net_connection_of(from), *target = net_connection_of(to);
	if (source != NULL && pipe_of(to, FD_PIPE_WRITE) != NULL)
		return splice_in(source, pipe_of(to, FD_PIPE_WRITE), len);
	if (target != NULL && pipe_of(from, FD_PIPE_READ) != NULL)
		return splice_out(pipe_of(from, FD_PIPE_READ), target, len);
	sim_fail("splice from fd %d to fd %d", from, to);
}

/* --- time and memory --- */

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now)
{
	const uint64_t us_per_second = 1000 * SIM_US_PER_MS;
	const uint64_t wall_start_us = 1700000000 * us_per_second;
	uint64_t us = sim_now_us + (id == CLOCK_REALTIME ? wall_start_us : SIM_CLOCK_START_US);
	ret_now->tv_sec = (time_t)(us / us_per_second);
	ret_now->tv_nsec = (long)(us % us_per_second * 1000);
	return 0;
}

void *__wrap_malloc(size_t size)
{
	if (net_injects(sim_params.fault_memory)) {
		SIM_TRACE("malloc of %zu bytes fails", size);
		return NULL;
	}
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	if (net_injects(sim_params.fault_memory)) {
		SIM_TRACE("calloc of %zu bytes fails", count * size);
		return NULL;
	}
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return net_injects(sim_params.fault_memory) ? NULL : __real_realloc(memory, size);
}
