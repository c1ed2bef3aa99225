/* The flags of a ring, and a trial of what the loop and the engine need of it. */
#include "loop/ring_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	ENTRIES = 256, /* submissions that may wait for the next call */
	COMPLETIONS = 4096, /* beyond them the kernel keeps a list */
	TRIAL_WAIT_S = 1,
	TRIAL_DATA = 1,
};

/* The best first: completions are worked off in the call that waits, by one thread. */
static const unsigned setup_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_COOP_TASKRUN,
	0,
};

int ring_setup(struct io_uring *ring)
{
	const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
	int rc = -EINVAL;

	for (size_t i = 0; i < ARRAY_LENGTH(setup_flags) && rc == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = setup_flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = COMPLETIONS,
		};

		rc = io_uring_queue_init_params(ENTRIES, ring, &params);
		if (rc == 0 && (params.features & needed) != needed) {
			io_uring_queue_exit(ring);
			rc = -ENOSYS;
		}
	}
	return rc;
}

/* The library's own function for this is not exported by all builds of 2.3. */
int ring_enable(struct io_uring *ring)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Submits and waits for one completion of ours. */
static bool completes(struct io_uring *ring, int *ret_result, unsigned *ret_flags)
{
	struct __kernel_timespec limit = {.tv_sec = TRIAL_WAIT_S};
	struct io_uring_cqe *cqe = NULL;
	int rc = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, NULL);

	if (rc < 0 || !cqe || cqe->user_data != TRIAL_DATA)
		return false;
	*ret_result = cqe->res;
	*ret_flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return true;
}

/* A poll that reports twice and can be ended. */
static bool try_poll(struct io_uring *ring, const int pair[2])
{
	struct io_uring_sqe *entry = io_uring_get_sqe(ring);
	unsigned flags = 0;
	int result = 0;

	if (!entry)
		return false;
	io_uring_prep_poll_multishot(entry, pair[0], POLLIN);
	io_uring_sqe_set_data64(entry, TRIAL_DATA);
	for (unsigned i = 0; i < 2; i++) {
		if (io_uring_submit(ring) < 0 || write(pair[1], "x", 1) != 1)
			return false;
		if (!completes(ring, &result, &flags) || !(result & POLLIN) || !(flags & IORING_CQE_F_MORE))
			return false;
	}
	entry = io_uring_get_sqe(ring);
	if (!entry)
		return false;
	io_uring_prep_cancel64(entry, TRIAL_DATA, 0);
	io_uring_sqe_set_flags(entry, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(entry, 0);
	return completes(ring, &result, &flags) && result == -ECANCELED && !(flags & IORING_CQE_F_MORE);
}

static bool try_ring(struct io_uring *ring)
{
	int pair[2];

	if (ring_enable(ring) != 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return false;
	bool works = try_poll(ring, pair);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return works;
}

/* The kernel's own switch: '0' unless it is there and set. */
static char sysctl_read(void)
{
	FD_AUTO int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd < 0 || read(fd, &value, 1) != 1)
		return '0';
	return value;
}

static const char *refusal_explain(int error)
{
	if (error == EPERM && sysctl_read() == '2')
		return "sysctl kernel.io_uring_disabled is 2: io_uring is off for everybody";
	if (error == EPERM && sysctl_read() == '1')
		return "sysctl kernel.io_uring_disabled is 1: io_uring needs CAP_SYS_ADMIN or kernel.io_uring_group";
	if (error == EPERM || error == EACCES)
		return "io_uring is forbidden here, by a seccomp filter (most containers) or a security module";
	if (error == ENOSYS || error == EINVAL)
		return "this kernel's io_uring is missing or too old: 5.17 is needed";
	if (error == ENOMEM)
		return "no memory for a ring: before Linux 5.12 the limit of locked memory (ulimit -l) counts";
	if (error == EMFILE || error == ENFILE)
		return "no file descriptor is left for a ring";
	return "a ring cannot be made here";
}

const char *ring_unavailable(void)
{
	struct io_uring ring;
	int rc = ring_setup(&ring);

	if (rc < 0)
		return refusal_explain(-rc);
	bool works = try_ring(&ring);
	io_uring_queue_exit(&ring);
	return works ? NULL : "a multishot poll on a ring does not do here what it should";
}
