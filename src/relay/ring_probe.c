/* Whether a ring does here what the uring engine needs: found by doing it. */

#include <errno.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop/ring.h"
#include "loop/ring_setup.h"
#include "relay/engine.h"

enum { PROBE_WAIT_S = 1, PROBE_GROUP = 1 };

static int buffers_register(struct io_uring *ring, struct io_uring_buf_ring *buffers)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)buffers, .ring_entries = 1, .bgid = PROBE_GROUP};
	io_uring_buf_ring_init(buffers);
	return io_uring_register_buf_ring(ring, &registration, 0);
}

/* A receive into a shared buffer, and another one that finds none. */
static bool try_receive(struct io_uring *ring, struct io_uring_buf_ring *buffers, const int pair[2])
{
	struct __kernel_timespec limit = {.tv_sec = PROBE_WAIT_S};
	const int results[] = {1, -ENOBUFS};
	struct io_uring_sqe *entry = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe = NULL;
	char byte = 0;
	if (entry == NULL || ring_enable(ring) != 0 || buffers_register(ring, buffers) != 0)
		return false;
	io_uring_buf_ring_add(buffers, &byte, 1, 0, io_uring_buf_ring_mask(1), 0);
	io_uring_buf_ring_advance(buffers, 1);
	io_uring_prep_recv_multishot(entry, pair[0], NULL, 0, 0);
	entry->flags |= IOSQE_BUFFER_SELECT;
	entry->buf_group = PROBE_GROUP;
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		if (write(pair[1], "x", 1) != 1 ||
			io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, NULL) < 0 || cqe == NULL)
			return false;
		if (cqe->res != results[i])
			return false;
		io_uring_cqe_seen(ring, cqe);
	}
	return byte == 'x';
}

static bool try_ring(void)
{
	struct io_uring ring;
	int pair[2];
	if (ring_setup(&ring) != 0)
		return false;
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *buffers = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works = buffers != MAP_FAILED &&
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0;
	if (works) {
		works = try_receive(&ring, buffers, pair);
		fd_close(&pair[0]);
		fd_close(&pair[1]);
	}
	io_uring_queue_exit(&ring);
	if (buffers != MAP_FAILED)
		munmap(buffers, bytes);
	return works;
}

const char *relay_ring_refusal(const struct loop *loop)
{
	if (loop != NULL && !loop_has_ring(loop))
		return "it lives on the loop's ring, and the loop is epoll: see 'loop uring'";
	const char *reason = ring_unavailable();
	if (reason != NULL)
		return reason;
	return try_ring()
		? NULL
		: "io_uring here has no multishot receive into a ring of buffers: Linux 6.0 is needed";
}
