/* Those who wait for a slot, first come first served: in the queue of one server, or
 * in the backend's when any server will do.  A slot that comes free is taken for the
 * waiter before anyone else can see it. */
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

/* How many may wait for any server: the usable servers' maxqueue together; 0: any
 * number, when one of them has none or nobody is usable. */
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

/* Behind all that came before it; usually that is at the end. */
static void ticket_insert(struct list *waiters, struct queue_waiter *waiter)
{
	struct list *before = waiters->prev;
	while (before != waiters &&
		container_of(before, struct queue_waiter, node)->choice.ticket > waiter->choice.ticket)
		before = before->prev;
	list_add(before->next, &waiter->node);
}

/* Into the server's queue, or with NULL into the backend's. */
static void queue_enter_locked(struct backend *backend, struct queue_waiter *waiter, struct server *server)
{
	uint32_t *cur = server ? &server->queue_cur : &backend->queue_cur;
	waiter->server = server;
	ticket_insert(server ? &server->waiters : &backend_private(backend)->waiters, waiter);
	gauge_max(server ? &server->queue_max : &backend->queue_max,
		__atomic_add_fetch(cur, 1, __ATOMIC_SEQ_CST));
	if (server)
		server_touch(server);
}

static void queue_leave_locked(struct backend *backend, struct queue_waiter *waiter)
{
	list_remove(&waiter->node);
	__atomic_sub_fetch(
		waiter->server ? &waiter->server->queue_cur : &backend->queue_cur, 1, __ATOMIC_SEQ_CST);
	if (waiter->server)
		server_touch(waiter->server);
}

static void waiting_end_locked(struct backend *backend)
{
	__atomic_sub_fetch(&backend_private(backend)->waiting, 1, __ATOMIC_SEQ_CST);
}

/* The slot is held already.  The waiter is its thread's again once posted. */
static void grant_locked(struct backend *backend, struct queue_waiter *waiter, struct server *server)
{
	waiting_end_locked(backend);
	waiter->state = WAITER_GRANTED;
	waiter->server = server;
	loop_post(waiter->loop, &waiter->message);
}

/* Serves the first who waits for any server, or lets it wait for the one that its key
 * leads to now.  False: it has to wait on. */
static bool first_serve_locked(struct backend *backend)
{
	struct list *waiters = &backend_private(backend)->waiters;
	struct queue_waiter *waiter = container_of(waiters->next, struct queue_waiter, node);
	struct server *server = NULL, *wanted = NULL;
	if (list_is_empty(waiters))
		return false;
	enum choose_answer answer = backend_choose_locked(backend, &waiter->choice, &server, &wanted);
	if (answer != CHOSEN && !wanted)
		return false;
	queue_leave_locked(backend, waiter);
	if (answer == CHOSEN)
		grant_locked(backend, waiter, server);
	else
		queue_enter_locked(backend, waiter, wanted);
	return true;
}

static bool is_first_older(struct backend *backend, const struct queue_waiter *than)
{
	const struct list *waiters = &backend_private(backend)->waiters;
	return !list_is_empty(waiters) &&
		container_of(waiters->next, struct queue_waiter, node)->choice.ticket < than->choice.ticket;
}

/* Gives the server's free slots to those who wait for it, and to those who wait for
 * any and came before them. */
static void server_grant_locked(struct server *server)
{
	struct backend *backend = server->backend;
	while (!list_is_empty(&server->waiters) && server_has_slot(server)) {
		struct queue_waiter *waiter = container_of(server->waiters.next, struct queue_waiter, node);
		if (is_first_older(backend, waiter) && first_serve_locked(backend))
			continue;
		queue_leave_locked(backend, waiter);
		server_slot_take_locked(server);
		grant_locked(backend, waiter, server);
	}
	/* Its limit may rise by itself: it is looked at again the next time. */
	if (!list_is_empty(&server->waiters) && !server_has_fixed_limit(server))
		server_touch(server);
}

void backend_settle_locked(struct backend *backend)
{
	backend_slowstart_step_locked(backend);
	struct server *server = backend_touched_take_locked(backend);
	while (server) {
		struct server *next = server->grant_next;
		server_grant_locked(server);
		server = next;
	}
	while (first_serve_locked(backend))
		;
}

void server_waiters_move_locked(struct server *server)
{
	while (!list_is_empty(&server->waiters)) {
		struct queue_waiter *waiter = container_of(server->waiters.next, struct queue_waiter, node);
		queue_leave_locked(server->backend, waiter);
		waiter->choice.stick = NULL;
		queue_enter_locked(server->backend, waiter, NULL);
	}
}

static bool may_wait(const struct backend *backend, enum choose_answer answer, const struct server *wanted)
{
	if (wanted)
		return true;
	/* There are servers, but each has as many waiting as it may. */
	if (answer == CHOOSE_FULL && backend->balancer->is_keyed)
		return false;
	uint64_t max = waiters_max(backend);
	return max == 0 || __atomic_load_n(&backend->queue_cur, __ATOMIC_RELAXED) < max;
}

/* Returns false when it may not wait. */
static bool wait_locked(struct backend *backend, struct queue_waiter *waiter)
{
	struct backend_private *private = backend_private(backend);
	struct server *server = NULL, *wanted = NULL;
	__atomic_add_fetch(&private->waiting, 1, __ATOMIC_SEQ_CST);
	backend_settle_locked(backend);
	enum choose_answer answer = backend_choose_locked(backend, &waiter->choice, &server, &wanted);
	if (answer == CHOSEN) {
		grant_locked(backend, waiter, server);
		return true;
	}
	if (!may_wait(backend, answer, wanted)) {
		waiting_end_locked(backend);
		return false;
	}
	waiter->choice.ticket = ++private->tickets;
	waiter->state = WAITER_WAITING;
	queue_enter_locked(backend, waiter, wanted);
	return true;
}

bool backend_queue(struct backend *backend, const struct choose_request *request, struct queue_waiter *waiter,
	struct loop *loop, void (*on_grant)(struct queue_waiter *))
{
	CHECK(waiter->state == WAITER_IDLE);
	waiter->message = (struct loop_message){.run = on_message};
	waiter->loop = loop;
	waiter->backend = backend;
	waiter->server = NULL;
	waiter->on_grant = on_grant;
	waiter->queued_ms = loop_now_ms(loop);
	waiter->choice = choice_make(backend, request);
	backend_lock(backend);
	bool has_entered = wait_locked(backend, waiter);
	backend_unlock(backend);
	return has_entered;
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
		waiting_end_locked(backend);
		waiter->state = WAITER_IDLE;
	}
	backend_unlock(backend);
	return has_left;
}
