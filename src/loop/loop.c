/* The loop: what all back ends have in common, which is everything but asking the
 * kernel what is ready.  Timers, tasks, messages, and the order of a pass. */
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "loop/loop_internal.h"

/* The first one needs nothing and serves everywhere. */
static const struct loop_backend *const backends[] = {&loop_backend_epoll, &loop_backend_uring};

static void activity_add(uint64_t *value, uint64_t amount)
{
	__atomic_store_n(value, __atomic_load_n(value, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

/* Back ends by name. */

static const char *const backend_names[] = {"epoll", "uring", NULL};

const char *const *loop_backend_names(void)
{
	return backend_names;
}

static const struct loop_backend *backend_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	CHECK(false);
	return NULL;
}

const char *loop_backend_unavailable(const char *name)
{
	return backend_find(name)->unavailable();
}

const char *loop_backend_name(const struct loop *loop)
{
	return loop->backend->name;
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
	return loop_create_named(backends[0]->name);
}

struct loop *loop_create_named(const char *backend)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int rc = -ENOMEM;

	if (!loop)
		goto fail;
	list_init(&loop->tasks);
	loop->now_ms = clock_monotonic_ms();
	timer_wheel_init(&loop->wheel, loop->now_ms);
	loop->wake_watch.fd = -1;
	loop->backend = backend_find(backend);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = loop->wake_fd >= 0 ? 0 : -errno;
	if (rc == 0)
		rc = loop->backend->open(loop);
	if (rc == 0)
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
	if (loop->state)
		loop->backend->close(loop);
	fd_close(&loop->wake_fd);
	free(loop);
}

/* Readiness. */

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, unsigned interest,
	void (*on_ready)(struct loop_watch *, unsigned))
{
	int rc;

	CHECK(!watch_is_ours(watch));
	CHECK(fd >= 0 && on_ready);
	watch->fd = fd;
	watch->magic = WATCH_MAGIC;
	watch->on_ready = on_ready;
	rc = loop->backend->add(loop, watch, interest);
	if (rc < 0) {
		watch->fd = -1;
		watch->magic = 0;
	}
	return rc;
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	CHECK(watch_is_ours(watch));
	return loop->backend->change(loop, watch, interest);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd)
{
	if (!watch_is_ours(watch))
		return;
	loop->backend->remove(loop, watch, will_close_fd);
	watch->fd = -1;
	watch->magic = 0;
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

/* With a hook no wait is longer than it allows. */
static uint64_t wait_limit_us(const struct loop *loop, int wait_ms)
{
	if (wait_ms == 0)
		return 0;
	if (loop->hook)
		return loop->hook->wait_us;
	return wait_ms < 0 ? WAIT_FOREVER : (uint64_t)wait_ms * 1000;
}

static void pass_count(struct loop *loop, uint64_t spent_us)
{
	activity_add(&loop->activity.busy_us, spent_us);
	activity_add(&loop->activity.lag_us2, spent_us * spent_us / 2);
}

void loop_run_once(struct loop *loop, int wait_ms)
{
	int chosen_ms = wait_choose(loop, wait_ms);

	CHECK(!loop->is_in_pass);
	loop->is_in_pass = true;
	loop->backend->wait(loop, wait_limit_us(loop, chosen_ms));
	uint64_t began_us = clock_monotonic_us();
	loop->now_ms = began_us / 1000;

	activity_add(&loop->activity.events, loop->backend->deliver(loop));
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
	loop->backend->enter(loop);
	while (!loop->is_stopped)
		loop_run_once(loop, -1);
	loop->is_stopped = false;
	loop->backend->leave(loop);
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
