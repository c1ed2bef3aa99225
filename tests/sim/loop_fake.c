/* The loop of the simulation: same symbols and the same order of a pass as the
 * epoll back end, virtual time, edges as the network model makes them, batches cut
 * and shuffled at random. */

#include "loop_fake.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "loop/ring.h"
#include "loop/timer_wheel.h"
#include "net_fake.h"
#include "sim.h"
#include "sim_params.h"

enum { LOOPS_MAX = 4, BATCH_MAX = 64, WATCH_MAGIC = 0x73696d77 };

struct registration {
	struct loop *loop; /* NULL: none */
	struct loop_watch *watch;
	unsigned interest;
	bool has_edge;
	bool is_abandoned; /* removed with the promise that the fd is closed at once */
};

struct event {
	int fd;
	struct loop_watch *watch;
	unsigned events;
};

struct loop {
	bool is_used, is_stopped;
	uint64_t now_ms;
	struct list tasks;
	struct loop_message *first, *last;
	struct event batch[BATCH_MAX];
	unsigned batch_next, batch_count;
	struct loop_activity activity;
	struct timer_wheel wheel;
	struct loop_hook *hook;
	uint64_t hook_us; /* when a pass must have been */
};

static struct loop loops[LOOPS_MAX];
static struct registration registrations[NET_FDS_MAX];

static struct registration *registration_of(int fd)
{
	CHECK(fd >= NET_FD_BASE && fd < NET_FD_BASE + NET_FDS_MAX);
	return &registrations[fd - NET_FD_BASE];
}

struct loop *loop_create(void)
{
	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		struct loop *loop = &loops[i];
		if (loop->is_used)
			continue;
		memset(loop, 0, sizeof(*loop));
		loop->is_used = true;
		loop->now_ms = clock_monotonic_ms();
		list_init(&loop->tasks);
		timer_wheel_init(&loop->wheel, loop->now_ms);
		return loop;
	}
	errno = EMFILE;
	return NULL;
}

static void messages_run(struct loop *loop)
{
	struct loop_message *message = loop->first;
	loop->first = loop->last = NULL;
	while (message != NULL) {
		struct loop_message *next = message->next;
		loop->activity.messages++;
		message->run(message);
		message = next;
	}
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->first != NULL)
		messages_run(loop);
	loop->is_used = false;
}

/* --- readiness --- */

void loop_fake_wake(int fd)
{
	if (fd >= 0)
		registration_of(fd)->has_edge = true;
}

void loop_fake_forget(int fd)
{
	memset(registration_of(fd), 0, sizeof(struct registration));
}

void loop_fake_check_empty(void)
{
	for (unsigned i = 0; i < NET_FDS_MAX; i++)
		SIM_CHECK(registrations[i].loop == NULL, "fd %u is still registered", NET_FD_BASE + i);
}

int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, unsigned interest,
	void (*on_ready)(struct loop_watch *, unsigned))
{
	struct registration *registration = registration_of(fd);
	CHECK(watch->magic != WATCH_MAGIC || watch->fd < 0);
	watch->fd = -1;
	if (net_has_faults && sim_chance(sim_params.fault_watch)) {
		net_totals.faults++;
		return sim_chance(500) ? -ENOMEM : -ENOSPC;
	}
	if (registration->loop != NULL)
		return -EEXIST;
	*registration = (struct registration){loop, watch, interest, true, false};
	watch->fd = fd;
	watch->magic = WATCH_MAGIC;
	watch->on_ready = on_ready;
	return 0;
}

static void batch_filter(struct loop *loop, const struct loop_watch *watch, unsigned keep)
{
	for (unsigned i = loop->batch_next; i < loop->batch_count; i++) {
		if (loop->batch[i].watch != watch)
			continue;
		loop->batch[i].events &= keep;
		if (loop->batch[i].events == 0)
			loop->batch[i].watch = NULL;
	}
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	CHECK(watch->magic == WATCH_MAGIC && watch->fd >= 0);
	struct registration *registration = registration_of(watch->fd);
	registration->interest = interest;
	registration->has_edge = true;
	batch_filter(loop, watch, interest | LOOP_PEER_CLOSED | LOOP_FAILED);
	return 0;
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd)
{
	if (watch->magic != WATCH_MAGIC || watch->fd < 0)
		return;
	/* As in the kernel the registration lives on when only the close is to end it. */
	if (will_close_fd)
		registration_of(watch->fd)->is_abandoned = true;
	else
		loop_fake_forget(watch->fd);
	batch_filter(loop, watch, 0);
	watch->fd = -1;
	watch->magic = 0;
}

static bool is_level(const struct registration *registration)
{
	return (registration->interest & LOOP_LEVEL) &&
		(registration->interest & (LOOP_READABLE | LOOP_WRITABLE));
}

/* What would be reported now, 0 for nothing. */
static unsigned events_due(const struct registration *registration, int fd, bool is_quiet)
{
	if (!registration->has_edge && !is_level(registration))
		return 0;
	unsigned reported = LOOP_FAILED | (registration->interest & (LOOP_READABLE | LOOP_WRITABLE));
	if (!is_level(registration) || (registration->interest & LOOP_READABLE))
		reported |= LOOP_PEER_CLOSED;
	unsigned ready = is_quiet ? net_poll_quietly(fd) : net_poll(fd);
	return ready & (ready & LOOP_FAILED ? reported | LOOP_READABLE | LOOP_WRITABLE : reported);
}

static void batch_add(struct loop *loop, struct registration *registration, int fd)
{
	unsigned events = events_due(registration, fd, false);
	registration->has_edge = false;
	if (events == 0)
		return;
	SIM_CHECK(!registration->is_abandoned,
		"fd %d was left registered with its watch gone, and events come for it", fd);
	loop->batch[loop->batch_count++] = (struct event){fd, registration->watch, events};
}

/* A full batch leaves the rest for the next pass, as epoll_wait does; so does chance. */
static void batch_collect(struct loop *loop)
{
	unsigned start = sim_below(NET_FDS_MAX);
	bool is_cut = sim_chance(100);
	loop->batch_next = loop->batch_count = 0;
	for (unsigned i = 0; i < NET_FDS_MAX && loop->batch_count < BATCH_MAX; i++) {
		unsigned index = (start + i) % NET_FDS_MAX;
		struct registration *registration = &registrations[index];
		if (registration->loop != loop || (is_cut && sim_chance(500)))
			continue;
		if (net_has_faults && sim_chance(sim_params.spurious))
			registration->has_edge = true;
		batch_add(loop, registration, NET_FD_BASE + (int)index);
	}
}

static void batch_deliver(struct loop *loop)
{
	while (loop->batch_next < loop->batch_count) {
		const struct event *event = &loop->batch[loop->batch_next++];
		if (event->watch == NULL)
			continue;
		CHECK(event->watch->magic == WATCH_MAGIC);
		SIM_TRACE("event fd %d: %s%s%s%s", event->fd,
			event->events & LOOP_READABLE ? "readable " : "",
			event->events & LOOP_WRITABLE ? "writable " : "",
			event->events & LOOP_PEER_CLOSED ? "peer-closed " : "",
			event->events & LOOP_FAILED ? "failed" : "");
		loop->activity.events++;
		/* The network goes on between the report and what is done about it. */
		for (unsigned steps = sim_below(4); steps > 0; steps--)
			net_jitter(event->fd);
		event->watch->on_ready(event->watch, event->events);
	}
}

/* --- timers and tasks --- */

void loop_timer_init(struct loop_timer *timer, void (*on_expiry)(struct loop_timer *))
{
	list_init(&timer->node);
	timer->expires_ms = 0;
	timer->on_expiry = on_expiry;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expires_ms)
{
	CHECK(timer->on_expiry != NULL);
	timer->expires_ms = expires_ms;
	timer_wheel_add(&loop->wheel, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	timer_wheel_remove(&loop->wheel, timer);
}

static bool node_is_listed(const struct list *node)
{
	return node->next != NULL && node->next != node;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return node_is_listed(&timer->node);
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *))
{
	list_init(&task->node);
	task->run = run;
}

void loop_task_schedule(struct loop *loop, struct loop_task *task)
{
	CHECK(task->run != NULL);
	if (!node_is_listed(&task->node))
		list_add(&loop->tasks, &task->node);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	if (node_is_listed(&task->node))
		list_remove(&task->node);
}

static void tasks_run(struct loop *loop)
{
	struct list running;
	list_init(&running);
	list_splice(&running, &loop->tasks);
	while (!list_is_empty(&running)) {
		struct loop_task *task = container_of(running.next, struct loop_task, node);
		list_remove(&task->node);
		loop->activity.tasks++;
		task->run(task);
	}
}

/* --- messages and passes --- */

void loop_post(struct loop *loop, struct loop_message *message)
{
	CHECK(loop->is_used && message->run != NULL);
	message->next = NULL;
	if (loop->first == NULL)
		loop->first = message;
	else
		loop->last->next = message;
	loop->last = message;
}

void loop_hook_set(struct loop *loop, struct loop_hook *hook)
{
	loop->hook = hook;
	loop->hook_us = hook != NULL ? sim_now_us + hook->wait_us : SIM_NEVER;
}

void loop_run_once(struct loop *loop, int wait_ms)
{
	(void)wait_ms;
	batch_collect(loop);
	loop->now_ms = clock_monotonic_ms();
	batch_deliver(loop);
	unsigned fired = timer_wheel_advance(&loop->wheel, loop->now_ms);
	if (fired > 0)
		SIM_TRACE("%u timers", fired);
	loop->activity.timers += fired;
	messages_run(loop);
	tasks_run(loop);
	if (loop->hook != NULL) {
		loop->hook_us = sim_now_us + loop->hook->wait_us;
		loop->hook->run(loop->hook);
	}
	loop->activity.passes++;
}

void loop_run(struct loop *loop)
{
	while (!loop->is_stopped)
		loop_run_once(loop, 0);
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
	*ret_activity = loop->activity;
}

bool loop_fake_has_work(const struct loop *loop)
{
	return loop->first != NULL || !list_is_empty(&loop->tasks);
}

bool loop_fake_is_idle(const struct loop *loop)
{
	if (loop_fake_has_work(loop))
		return false;
	for (unsigned i = 0; i < NET_FDS_MAX; i++) {
		const struct registration *registration = &registrations[i];
		if (registration->loop == loop && events_due(registration, NET_FD_BASE + (int)i, true) != 0)
			return false;
	}
	return loop_fake_timer_us(loop) > sim_now_us;
}

uint64_t loop_fake_timer_us(const struct loop *loop)
{
	int wait_ms = timer_wheel_wait_ms(&loop->wheel, clock_monotonic_ms());
	uint64_t timer_us = wait_ms < 0 ? SIM_NEVER : sim_now_us + (uint64_t)wait_ms * SIM_US_PER_MS;
	return loop->hook != NULL && loop->hook_us < timer_us ? loop->hook_us : timer_us;
}

/* --- no ring --- */

bool loop_has_ring(const struct loop *loop)
{
	(void)loop;
	return false;
}

struct io_uring *loop_ring(struct loop *loop)
{
	(void)loop;
	return NULL;
}

/* Nothing below is reached without one. */
struct io_uring_sqe *loop_ring_entry(struct loop *loop)
{
	(void)loop;
	CHECK(false);
	return NULL;
}

void loop_ring_begin(struct loop *loop, struct io_uring_sqe *entry, struct ring_operation *operation)
{
	(void)loop;
	(void)entry;
	CHECK(operation == NULL);
}

void loop_ring_cancel(struct loop *loop, struct ring_operation *operation)
{
	(void)loop;
	CHECK(operation == NULL);
}

void loop_ring_settle(struct loop *loop)
{
	(void)loop;
	CHECK(false);
}
