/* The loop over epoll(7): one registration per watch, edges by default, so that
 * the path of bytes needs no call but epoll_wait. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "loop/loop_internal.h"

enum { BATCH_MAX = 256 };

struct epoll {
	int fd;
	unsigned batch_next, batch_count; /* events of the batch not yet delivered */
	struct epoll_event batch[BATCH_MAX];
};

static const char *epoll_unavailable(void)
{
	return NULL;
}

static int epoll_open(struct loop *loop)
{
	struct epoll *epoll = calloc(1, sizeof(*epoll));

	if (!epoll)
		return -ENOMEM;
	loop->state = epoll;
	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll->fd >= 0 ? 0 : -errno;
}

static void epoll_close(struct loop *loop)
{
	struct epoll *epoll = loop->state;

	fd_close(&epoll->fd);
	free(epoll);
	loop->state = NULL;
}

/* Readiness. */

static uint32_t epoll_interest(unsigned interest)
{
	bool is_level = interest_is_level(interest);
	uint32_t events = 0;

	if (interest & LOOP_READABLE)
		events |= EPOLLIN;
	if (interest & LOOP_WRITABLE)
		events |= EPOLLOUT;
	if (!is_level)
		events |= EPOLLET;
	if (interest & LOOP_QUIET)
		return events; /* failures and hang-ups are always reported */
	if (interest & LOOP_ENDS)
		return events | EPOLLRDHUP;
	/* Level reports would repeat for as long as nobody reads these away. */
	if (!is_level || (interest & LOOP_READABLE))
		events |= EPOLLRDHUP | EPOLLPRI;
	return events;
}

static unsigned loop_events(uint32_t reported)
{
	unsigned events = 0;

	if (reported & EPOLLIN)
		events |= LOOP_READABLE;
	if (reported & EPOLLOUT)
		events |= LOOP_WRITABLE;
	if (reported & EPOLLPRI)
		events |= LOOP_URGENT;
	if (reported & EPOLLRDHUP)
		events |= LOOP_PEER_CLOSED;
	if (reported & EPOLLHUP)
		events |= LOOP_PEER_CLOSED | LOOP_READABLE | LOOP_WRITABLE;
	if (reported & EPOLLERR)
		events |= LOOP_FAILED | LOOP_READABLE | LOOP_WRITABLE;
	return events;
}

/* Takes out of what is still to be delivered the events of a watch that `keep`
 * does not name; 0 forgets the watch altogether. */
static void batch_filter(struct epoll *epoll, const struct loop_watch *watch, uint32_t keep)
{
	for (unsigned i = epoll->batch_next; i < epoll->batch_count; i++) {
		struct epoll_event *event = &epoll->batch[i];

		if (event->data.ptr != watch)
			continue;
		event->events &= keep;
		if (event->events == 0)
			event->data.ptr = NULL;
	}
}

static int epoll_add(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	struct epoll *epoll = loop->state;
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = watch};

	return epoll_ctl(epoll->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

static int epoll_change(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	struct epoll *epoll = loop->state;
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = watch};

	if (epoll_ctl(epoll->fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	batch_filter(epoll, watch, event.events | EPOLLHUP | EPOLLERR);
	return 0;
}

static void epoll_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd)
{
	struct epoll *epoll = loop->state;

	/* It can only fail for an fd that is closed already, which does as well. */
	if (!will_close_fd)
		(void)epoll_ctl(epoll->fd, EPOLL_CTL_DEL, watch->fd, NULL);
	batch_filter(epoll, watch, 0);
}

/* Waits shorter than a millisecond are more than epoll_wait(2) can say. */
static int wait_briefly(struct epoll *epoll, uint64_t wait_us)
{
	struct timespec limit = {.tv_nsec = (long)wait_us * 1000};
	/* The call itself: older libraries have no name for it. */
	int count =
		(int)syscall(SYS_epoll_pwait2, epoll->fd, epoll->batch, BATCH_MAX, &limit, NULL, (size_t)0);

	/* Kernels before 5.11, and sandboxes that do not know it. */
	if (count < 0 && (errno == ENOSYS || errno == EPERM))
		return epoll_wait(epoll->fd, epoll->batch, BATCH_MAX, 1);
	return count;
}

static void epoll_await(struct loop *loop, uint64_t wait_us)
{
	struct epoll *epoll = loop->state;
	int wait_ms = wait_us == WAIT_FOREVER ? -1 : (int)(wait_us / 1000);
	int count = wait_us > 0 && wait_ms == 0 ? wait_briefly(epoll, wait_us)
						: epoll_wait(epoll->fd, epoll->batch, BATCH_MAX, wait_ms);

	CHECK(count >= 0 || errno == EINTR);
	epoll->batch_next = 0;
	epoll->batch_count = count > 0 ? (unsigned)count : 0;
}

static unsigned epoll_deliver(struct loop *loop)
{
	struct epoll *epoll = loop->state;

	while (epoll->batch_next < epoll->batch_count) {
		const struct epoll_event *event = &epoll->batch[epoll->batch_next++];
		struct loop_watch *watch = event->data.ptr;

		if (!watch)
			continue; /* removed by a callback before */
		CHECK(watch_is_ours(watch));
		watch->on_ready(watch, loop_events(event->events));
	}
	return epoll->batch_count;
}

static void epoll_nothing(struct loop *loop)
{
	(void)loop;
}

const struct loop_backend loop_backend_epoll = {
	.name = "epoll",
	.unavailable = epoll_unavailable,
	.open = epoll_open,
	.close = epoll_close,
	.add = epoll_add,
	.change = epoll_change,
	.remove = epoll_remove,
	.wait = epoll_await,
	.deliver = epoll_deliver,
	.enter = epoll_nothing,
	.leave = epoll_nothing,
};
