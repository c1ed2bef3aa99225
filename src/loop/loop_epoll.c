/* The loop over epoll(7): one registration per watch, edges by default, so that
 * the path of bytes needs no call but epoll_wait. */
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "loop/timer_wheel.h"

enum { BATCH_MAX = 256, WATCH_MAGIC = 0x77617463 };

struct loop {
	int epoll_fd, wake_fd;
	bool is_stopped, is_in_pass;
	uint64_t now_ms;
	struct list tasks; /* for the end of this pass or the next */
	struct loop_message *posted; /* atomic; newest first */
	struct loop_watch wake_watch;
	struct loop_activity activity; /* written by the loop's thread, read by any */
	unsigned batch_next, batch_count; /* events of the batch not yet delivered */
	struct epoll_event batch[BATCH_MAX];
	struct timer_wheel wheel;
	struct loop_hook *hook;
};

static void activity_add(uint64_t *value, uint64_t amount)
{
	__atomic_store_n(value, __atomic_load_n(value, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

/* Life of a loop. */

/* The edge of the eventfd has woken us, which is all it is for: its count is
 * never read, and messages are looked for in every pass. */
static void wake_on_ready(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
}

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int rc = -ENOMEM;

	if (!loop)
		goto fail;
	list_init(&loop->tasks);
	loop->now_ms = clock_monotonic_ms();
	timer_wheel_init(&loop->wheel, loop->now_ms);
	loop->wake_watch.fd = -1;
	loop->wake_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd >= 0)
		loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = -errno;
	if (loop->epoll_fd < 0 || loop->wake_fd < 0)
		goto fail;
	rc = loop_watch_add(loop, &loop->wake_watch, loop->wake_fd, LOOP_READABLE, wake_on_ready);
	if (rc == 0)
		return loop;
fail:
	loop_destroy(loop);
	errno = -rc;
	return NULL;
}

static unsigned messages_run(struct loop *loop);

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	CHECK(!loop->is_in_pass);
	while (messages_run(loop) > 0)
		;
	fd_close(&loop->wake_fd);
	fd_close(&loop->epoll_fd);
	free(loop);
}

/* Readiness. */

static uint32_t epoll_interest(unsigned interest)
{
	bool is_level = (interest & LOOP_LEVEL) && (interest & (LOOP_READABLE | LOOP_WRITABLE));
	uint32_t events = 0;

	if (interest & LOOP_READABLE)
		events |= EPOLLIN;
	if (interest & LOOP_WRITABLE)
		events |= EPOLLOUT;
	if (!is_level)
		events |= EPOLLET;
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
static void batch_filter(struct loop *loop, const struct loop_watch *watch, uint32_t keep)
{
	for (unsigned i = loop->batch_next; i < loop->batch_count; i++) {
		struct epoll_event *event = &loop->batch[i];

		if (event->data.ptr != watch)
			continue;
		event->events &= keep;
		if (event->events == 0)
			event->data.ptr = NULL;
	}
}

static bool watch_is_ours(const struct loop_watch *watch)
{
	return watch->magic == WATCH_MAGIC && watch->fd >= 0;
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, unsigned interest,
	void (*on_ready)(struct loop_watch *, unsigned))
{
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = watch};

	CHECK(!watch_is_ours(watch));
	CHECK(fd >= 0 && on_ready);
	watch->fd = -1;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	watch->fd = fd;
	watch->magic = WATCH_MAGIC;
	watch->on_ready = on_ready;
	return 0;
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = watch};

	CHECK(watch_is_ours(watch));
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	batch_filter(loop, watch, event.events | EPOLLHUP | EPOLLERR);
	return 0;
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd)
{
	if (!watch_is_ours(watch))
		return;
	/* It can only fail for an fd that is closed already, which does as well. */
	if (!will_close_fd)
		(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	batch_filter(loop, watch, 0);
	watch->fd = -1;
	watch->magic = 0;
}

static void batch_deliver(struct loop *loop, unsigned count)
{
	loop->batch_next = 0;
	loop->batch_count = count;
	while (loop->batch_next < loop->batch_count) {
		const struct epoll_event *event = &loop->batch[loop->batch_next++];
		struct loop_watch *watch = event->data.ptr;

		if (!watch)
			continue; /* removed by a callback before */
		CHECK(watch_is_ours(watch));
		watch->on_ready(watch, loop_events(event->events));
	}
	activity_add(&loop->activity.events, count);
}

/* Timers. */

void loop_timer_init(struct loop_timer *timer, void (*on_expiry)(struct loop_timer *))
{
	list_init(&timer->node);
	timer->expires_ms = 0;
	timer->on_expiry = on_expiry;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expires_ms)
{
	CHECK(timer->on_expiry);
	timer->expires_ms = expires_ms;
	timer_wheel_add(&loop->wheel, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	timer_wheel_remove(&loop->wheel, timer);
}

static bool node_is_listed(const struct list *node)
{
	return node->next && node->next != node;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return node_is_listed(&timer->node);
}

/* Tasks. */

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *))
{
	list_init(&task->node);
	task->run = run;
}

void loop_task_schedule(struct loop *loop, struct loop_task *task)
{
	CHECK(task->run);
	if (!node_is_listed(&task->node))
		list_add(&loop->tasks, &task->node);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	if (node_is_listed(&task->node))
		list_remove(&task->node);
}

/* Runs what is scheduled now; what these schedule waits for the next pass. */
static void tasks_run(struct loop *loop)
{
	struct list running;
	uint64_t count = 0;

	list_init(&running);
	list_splice(&running, &loop->tasks);
	while (!list_is_empty(&running)) {
		struct loop_task *task = container_of(running.next, struct loop_task, node);

		list_remove(&task->node);
		task->run(task);
		count++;
	}
	activity_add(&loop->activity.tasks, count);
}

/* Messages. */

/* A stack that only grows until its owner takes all of it at once, so no element
 * can come back while another thread looks at it.  Only who finds it empty wakes
 * the loop: the others' messages are taken together with that one. */
void loop_post(struct loop *loop, struct loop_message *message)
{
	struct loop_message *newest = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);
	uint64_t one = 1;

	CHECK(message->run);
	do
		message->next = newest;
	while (!__atomic_compare_exchange_n(
		&loop->posted, &newest, message, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	/* message may be gone by now.  The write fails only when the count is full,
	 * and a full count has woken the loop. */
	if (!newest && write(loop->wake_fd, &one, sizeof(one)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
}

/* Runs what was posted until now, oldest first. */
static unsigned messages_run(struct loop *loop)
{
	struct loop_message *newest_first, *oldest_first = NULL;
	unsigned count = 0;

	if (!__atomic_load_n(&loop->posted, __ATOMIC_RELAXED))
		return 0;
	newest_first = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_ACQUIRE);
	while (newest_first) {
		struct loop_message *message = newest_first;

		newest_first = message->next;
		message->next = oldest_first;
		oldest_first = message;
	}
	while (oldest_first) {
		struct loop_message *message = oldest_first;

		oldest_first = message->next;
		message->run(message);
		count++;
	}
	activity_add(&loop->activity.messages, count);
	return count;
}

/* Passes. */

/* wait_max_ms, or less when work or a timer is due before. */
static int wait_choose(const struct loop *loop, int wait_max_ms)
{
	int timer_ms = timer_wheel_wait_ms(&loop->wheel, loop->now_ms);

	if (!list_is_empty(&loop->tasks) || __atomic_load_n(&loop->posted, __ATOMIC_RELAXED))
		return 0;
	if (timer_ms < 0)
		return wait_max_ms;
	return wait_max_ms < 0 || timer_ms < wait_max_ms ? timer_ms : wait_max_ms;
}

void loop_hook_set(struct loop *loop, struct loop_hook *hook)
{
	CHECK(!hook || (hook->run && hook->wait_us > 0 && hook->wait_us < 1000));
	loop->hook = hook;
}

/* With a hook the wait is shorter than epoll_wait(2) can say. */
static int wait_for_events(struct loop *loop, int wait_ms)
{
	struct timespec limit = {0};

	if (!loop->hook || wait_ms == 0)
		return epoll_wait(loop->epoll_fd, loop->batch, BATCH_MAX, wait_ms);
	limit.tv_nsec = loop->hook->wait_us * 1000L;
	/* The call itself: older libraries have no name for it. */
	int count = (int)syscall(
		SYS_epoll_pwait2, loop->epoll_fd, loop->batch, BATCH_MAX, &limit, NULL, (size_t)0);
	/* Kernels before 5.11, and sandboxes that do not know it. */
	if (count < 0 && (errno == ENOSYS || errno == EPERM))
		return epoll_wait(loop->epoll_fd, loop->batch, BATCH_MAX, 1);
	return count;
}

static void pass_count(struct loop *loop, uint64_t spent_us)
{
	activity_add(&loop->activity.busy_us, spent_us);
	activity_add(&loop->activity.lag_us2, spent_us * spent_us / 2);
}

void loop_run_once(struct loop *loop, int wait_ms)
{
	int count, chosen_ms = wait_choose(loop, wait_ms);

	CHECK(!loop->is_in_pass);
	loop->is_in_pass = true;
	count = wait_for_events(loop, chosen_ms);
	CHECK(count >= 0 || errno == EINTR);
	uint64_t began_us = clock_monotonic_us();
	loop->now_ms = began_us / 1000;

	if (count > 0)
		batch_deliver(loop, (unsigned)count);
	activity_add(&loop->activity.timers, timer_wheel_advance(&loop->wheel, loop->now_ms));
	(void)messages_run(loop);
	tasks_run(loop);
	if (loop->hook)
		loop->hook->run(loop->hook);
	activity_add(&loop->activity.passes, 1);
	pass_count(loop, clock_monotonic_us() - began_us);
	activity_add(&loop->activity.waits, chosen_ms != 0);
	loop->is_in_pass = false;
}

void loop_run(struct loop *loop)
{
	while (!loop->is_stopped)
		loop_run_once(loop, -1);
	loop->is_stopped = false;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

void loop_activity_read(const struct loop *loop, struct loop_activity *ret_activity)
{
	*ret_activity = (struct loop_activity){
		.passes = __atomic_load_n(&loop->activity.passes, __ATOMIC_RELAXED),
		.waits = __atomic_load_n(&loop->activity.waits, __ATOMIC_RELAXED),
		.events = __atomic_load_n(&loop->activity.events, __ATOMIC_RELAXED),
		.timers = __atomic_load_n(&loop->activity.timers, __ATOMIC_RELAXED),
		.tasks = __atomic_load_n(&loop->activity.tasks, __ATOMIC_RELAXED),
		.messages = __atomic_load_n(&loop->activity.messages, __ATOMIC_RELAXED),
		.busy_us = __atomic_load_n(&loop->activity.busy_us, __ATOMIC_RELAXED),
		.lag_us2 = __atomic_load_n(&loop->activity.lag_us2, __ATOMIC_RELAXED),
	};
}
