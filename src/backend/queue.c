/* Those who wait for a slot of a backend, first come first served.  A slot that
 * comes free is taken for the waiter before anyone else can see it. */
#include "backend/backend.h"

#include "backend/backend_internal.h"
#include "base/check.h"

/* Of a waiter, under the lock but for the step back to idle, which is its own
 * thread's once it is granted. */
enum waiter_state { WAITER_IDLE, WAITER_WAITING, WAITER_GRANTED };

/* Runs on the waiter's loop. */
static void on_message(struct loop_message *message)
{
	struct queue_waiter *waiter = container_of(message, struct queue_waiter, message);
	CHECK(waiter->state == WAITER_GRANTED);
	waiter->state = WAITER_IDLE;
	waiter->on_grant(waiter);
}

/* How many may wait: the usable servers' maxqueue together; 0: any number, when one
 * of them has none or nobody is usable. */
static uint64_t waiters_max(const struct backend *backend)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		if (!server_is_usable(server))
			continue;
		if (server->config->maxqueue == 0)
			return 0;
		sum += server->config->maxqueue;
	}
	return sum;
}

static void queue_enter_locked(struct backend *backend, struct queue_waiter *waiter)
{
	waiter->state = WAITER_WAITING;
	list_add(&backend_private(backend)->waiters, &waiter->node);
	uint32_t waiting = __atomic_add_fetch(&backend->queue_cur, 1, __ATOMIC_SEQ_CST);
	gauge_max(&backend->queue_max, waiting);
}

static void queue_leave_locked(struct backend *backend, struct queue_waiter *waiter)
{
	list_remove(&waiter->node);
	__atomic_sub_fetch(&backend->queue_cur, 1, __ATOMIC_SEQ_CST);
}

bool backend_queue(struct backend *backend, struct queue_waiter *waiter, struct loop *loop,
	void (*on_grant)(struct queue_waiter *))
{
	CHECK(waiter->state == WAITER_IDLE);
	waiter->message = (struct loop_message){.run = on_message};
	waiter->loop = loop;
	waiter->backend = backend;
	waiter->server = NULL;
	waiter->on_grant = on_grant;
	waiter->queued_ms = loop_now_ms(loop);
	backend_lock(backend);
	uint64_t max = waiters_max(backend);
	bool may_wait = max == 0 || __atomic_load_n(&backend->queue_cur, __ATOMIC_RELAXED) < max;
	if (may_wait) {
		queue_enter_locked(backend, waiter);
		backend_grant_locked(backend);
	}
	backend_unlock(backend);
	return may_wait;
}

/* A granted waiter stays granted until its message has run on this very thread, so
 * false always means: still to come. */
bool backend_unqueue(struct queue_waiter *waiter)
{
	struct backend *backend = waiter->backend;
	if (!backend)
		return true;
	backend_lock(backend);
	bool has_left = waiter->state != WAITER_GRANTED;
	if (waiter->state == WAITER_WAITING) {
		queue_leave_locked(backend, waiter);
		waiter->state = WAITER_IDLE;
	}
	backend_unlock(backend);
	return has_left;
}

void backend_grant_locked(struct backend *backend)
{
	struct list *waiters = &backend_private(backend)->waiters;
	const struct choose_request request = {0};
	struct server *server = NULL;
	while (!list_is_empty(waiters) && backend_choose_locked(backend, &request, &server) == CHOSEN) {
		struct queue_waiter *waiter = container_of(waiters->next, struct queue_waiter, node);
		queue_leave_locked(backend, waiter);
		waiter->state = WAITER_GRANTED;
		waiter->server = server;
		loop_post(waiter->loop, &waiter->message);
	}
}
