/* Accepting on one worker.  A limit is taken before the connection is, so it is
 * never exceeded; an acceptor that meets one sleeps ("parks") until whoever gives
 * back what it lacks wakes it.
 *
 * Parked acceptors stand in one list of the process, each with the gauge it is
 * blocked on.  A release wakes the first one blocked on each gauge it lowers, by
 * one message.  That no free place is ever left with sleepers who could use it:
 * - parking publishes itself (parked_count) before it looks at the gauge again,
 *   a release lowers the gauge before it looks at parked_count; both sequentially
 *   consistent, so one of the two sees the other;
 * - a woken acceptor that uses no place passes the wake on to the next sleeper on
 *   the same gauge.  Each passing takes one out of that gauge's sleepers, and who
 *   finds the gauge full again passes nothing on, so the chain ends. */
#include "net/acceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/check.h"

enum {
	BACK_OFF_MS = 100, /* without descriptors or memory */
	RATE_WAIT_MIN_MS = 10, /* between looks at a rate that is too high */
	RATE_WAIT_MAX_MS = 100,
	DRAIN_MAX = 65536, /* no queue is longer, unless the sender is faster than we */
	SKIPS_MAX = 64, /* failed accepts in a row before a rest: it may be us who are forbidden it */
	ACCEPTOR_MAGIC = 0x61636370,
};

struct acceptor {
	uint32_t magic;
	struct acceptor_options options;
	struct listener *listener;
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_message wake;
	unsigned allowance; /* accepts of the next burst, adapts to what comes */
	unsigned skips; /* failed accepts in a row */
	bool is_started, is_parked, is_listening;

	/* Under limits->parked_lock. */
	struct list node; /* in limits->parked */
	const void *blocked_on; /* a gauge, or what else it waits for */
	const void *woken_for; /* whose place the message in flight announces */
	bool is_wake_in_flight, is_destroyed;
};

/* What stands in the way of the next connection. */
struct hindrance {
	const void *blocked_on; /* NULL: nothing does */
	uint32_t delay_ms; /* look again after so long; 0: someone will wake us */
};

enum accept_outcome { ACCEPT_TAKEN, ACCEPT_SKIPPED, ACCEPT_DRAINED, ACCEPT_BLOCKED };

static void on_ready(struct loop_watch *watch, unsigned events);
static void on_timer(struct loop_timer *timer);
static void on_wake(struct loop_message *message);
static void burst(struct acceptor *acceptor, const void *woken_for);
static enum accept_outcome accept_next(struct acceptor *acceptor, struct hindrance *ret_hindrance);
static enum accept_outcome accept_placed(struct acceptor *acceptor, struct hindrance *ret_hindrance);
static int fd_accept(struct acceptor *acceptor, struct address *ret_peer);
static void park(struct acceptor *acceptor, const struct hindrance *hindrance);
static void unpark(struct acceptor *acceptor, const void *woken_for);
static void listening_set(struct acceptor *acceptor, bool is_listening);

int acceptor_create(
	const struct acceptor_options *options, struct listener *listener, struct acceptor **ret_acceptor)
{
	CHECK(options->worker < listener->frontend->workers);
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	if (!acceptor)
		return -ENOMEM;
	acceptor->magic = ACCEPTOR_MAGIC;
	acceptor->options = *options;
	if (acceptor->options.burst_max == 0)
		acceptor->options.burst_max = 1;
	acceptor->allowance = 1;
	acceptor->listener = listener;
	acceptor->watch.fd = -1;
	acceptor->wake.run = on_wake;
	loop_timer_init(&acceptor->timer, on_timer);
	list_init(&acceptor->node);
	*ret_acceptor = acceptor;
	return 0;
}

void acceptor_start(struct acceptor *acceptor)
{
	if (acceptor->is_started) {
		/* It slept through the frontend's closing and opening. */
		if (acceptor->is_parked && acceptor->blocked_on == &acceptor->listener->frontend->state)
			unpark(acceptor, NULL);
		return;
	}
	acceptor->is_started = true;
	listening_set(acceptor, true);
}

/* The sleeper's list; an all-zero one is empty. */
static struct list *parked_list(struct accept_limits *limits)
{
	if (!limits->parked.next)
		list_init(&limits->parked);
	return &limits->parked;
}

/* What a release may wake; the rest waits for a timer or the operator. */
static bool is_releasable(const struct acceptor *acceptor, const void *blocked_on)
{
	const struct frontend *frontend = acceptor->listener->frontend;
	return blocked_on != &frontend->state && blocked_on != &frontend->rate;
}

/* Under the lock.  Harmless when it is not in the list. */
static void unlink_locked(struct acceptor *acceptor)
{
	if (list_is_empty(&acceptor->node))
		return;
	list_remove(&acceptor->node);
	if (is_releasable(acceptor, acceptor->blocked_on))
		__atomic_fetch_sub(&acceptor->options.limits->parked_count, 1, __ATOMIC_SEQ_CST);
}

/* Under the lock.  A message that is in flight already serves for this wake too. */
static void wake_locked(struct acceptor *acceptor)
{
	acceptor->woken_for = acceptor->blocked_on;
	unlink_locked(acceptor);
	if (acceptor->is_wake_in_flight)
		return;
	acceptor->is_wake_in_flight = true;
	loop_post(acceptor->options.loop, &acceptor->wake);
}

/* Under the lock: wakes who has slept longest for that gauge. */
static void wake_first_locked(struct accept_limits *limits, const void *gauge)
{
	struct list *parked = parked_list(limits);
	for (struct list *node = parked->next; node != parked; node = node->next) {
		struct acceptor *acceptor = container_of(node, struct acceptor, node);
		CHECK(acceptor->magic == ACCEPTOR_MAGIC);
		if (acceptor->blocked_on == gauge) {
			wake_locked(acceptor);
			return;
		}
	}
}

static void wake_first(struct accept_limits *limits, const void *gauge)
{
	if (__atomic_load_n(&limits->parked_count, __ATOMIC_SEQ_CST) == 0)
		return;
	pthread_mutex_lock(&limits->parked_lock);
	wake_first_locked(limits, gauge);
	pthread_mutex_unlock(&limits->parked_lock);
}

void acceptor_stop(struct acceptor *acceptor)
{
	struct accept_limits *limits = acceptor->options.limits;
	if (!acceptor->is_started)
		return;
	acceptor->is_started = false;
	acceptor->is_parked = false;
	if (loop_watch_is_live(&acceptor->watch))
		loop_watch_remove(acceptor->options.loop, &acceptor->watch, false);
	acceptor->is_listening = false;
	loop_timer_cancel(acceptor->options.loop, &acceptor->timer);
	pthread_mutex_lock(&limits->parked_lock);
	unlink_locked(acceptor);
	/* The message will find us stopped: the place it announces is for others. */
	if (acceptor->is_wake_in_flight && acceptor->woken_for)
		wake_first_locked(limits, acceptor->woken_for);
	acceptor->woken_for = NULL;
	pthread_mutex_unlock(&limits->parked_lock);
}

/* Always freed by a message: none is left in flight then, and the loop's events of
 * the running pass, which may name the watch, are behind it. */
void acceptor_destroy(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	acceptor_stop(acceptor);
	struct accept_limits *limits = acceptor->options.limits;
	pthread_mutex_lock(&limits->parked_lock);
	acceptor->is_destroyed = true;
	bool must_post = !acceptor->is_wake_in_flight;
	acceptor->is_wake_in_flight = true;
	pthread_mutex_unlock(&limits->parked_lock);
	if (must_post)
		loop_post(acceptor->options.loop, &acceptor->wake);
}

void acceptor_release(struct accept_limits *limits, struct listener *listener)
{
	struct frontend *frontend = listener->frontend;
	__atomic_fetch_sub(&listener->conn_cur, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&frontend->conn_cur, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&limits->conn_cur, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&limits->parked_count, __ATOMIC_SEQ_CST) == 0)
		return;
	pthread_mutex_lock(&limits->parked_lock);
	wake_first_locked(limits, &limits->conn_cur);
	wake_first_locked(limits, &frontend->conn_cur);
	wake_first_locked(limits, &listener->conn_cur);
	wake_first_locked(limits, &limits->exhausted);
	pthread_mutex_unlock(&limits->parked_lock);
}

void acceptor_wake_all(struct accept_limits *limits)
{
	pthread_mutex_lock(&limits->parked_lock);
	struct list *parked = parked_list(limits);
	while (!list_is_empty(parked))
		wake_locked(container_of(parked->next, struct acceptor, node));
	pthread_mutex_unlock(&limits->parked_lock);
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct acceptor *acceptor = container_of(watch, struct acceptor, watch);
	CHECK(acceptor->magic == ACCEPTOR_MAGIC);
	(void)events;
	if (!acceptor->is_parked) {
		burst(acceptor, NULL);
		return;
	}
	/* Reported although nothing was asked for: a failure of the socket.  It would be
	 * reported for ever. */
	loop_watch_remove(acceptor->options.loop, watch, false);
}

static void on_timer(struct loop_timer *timer)
{
	struct acceptor *acceptor = container_of(timer, struct acceptor, timer);
	CHECK(acceptor->magic == ACCEPTOR_MAGIC);
	unpark(acceptor, NULL);
}

static void on_wake(struct loop_message *message)
{
	struct acceptor *acceptor = container_of(message, struct acceptor, wake);
	CHECK(acceptor->magic == ACCEPTOR_MAGIC);
	struct accept_limits *limits = acceptor->options.limits;
	/* Destroyed is set by this thread: no lock is needed to read it, and the limits
	 * may be gone by now. */
	if (acceptor->is_destroyed) {
		acceptor->magic = 0;
		free(acceptor);
		return;
	}
	pthread_mutex_lock(&limits->parked_lock);
	acceptor->is_wake_in_flight = false;
	const void *woken_for = acceptor->woken_for;
	acceptor->woken_for = NULL;
	pthread_mutex_unlock(&limits->parked_lock);
	if (acceptor->is_parked)
		unpark(acceptor, woken_for);
}

/* Accepts what is there, within the allowance.  The allowance follows the load, so
 * that a lone connection does not cost a second accept() that finds nothing. */
static void burst(struct acceptor *acceptor, const void *woken_for)
{
	unsigned allowance = acceptor->allowance, taken = 0;
	struct hindrance hindrance = {0};
	enum accept_outcome outcome = ACCEPT_SKIPPED;
	for (unsigned i = 0; i < allowance && acceptor->is_started; i++) {
		outcome = accept_next(acceptor, &hindrance);
		if (outcome == ACCEPT_TAKEN)
			taken++;
		if (outcome == ACCEPT_DRAINED || outcome == ACCEPT_BLOCKED)
			break;
	}
	acceptor->allowance = taken > 0 ? taken : 1;
	if (outcome == ACCEPT_TAKEN || outcome == ACCEPT_SKIPPED)
		acceptor->allowance = allowance * 2 < acceptor->options.burst_max
			? allowance * 2
			: acceptor->options.burst_max;
	if (woken_for && taken == 0 && hindrance.blocked_on != woken_for)
		wake_first(acceptor->options.limits, woken_for);
	if (outcome == ACCEPT_BLOCKED && acceptor->is_started)
		park(acceptor, &hindrance);
}

static bool is_full(const uint32_t *gauge, const uint32_t *max)
{
	uint32_t limit = __atomic_load_n(max, __ATOMIC_RELAXED);
	return limit > 0 && __atomic_load_n(gauge, __ATOMIC_SEQ_CST) >= limit;
}

/* Raises a gauge unless it is at its limit. */
static bool gauge_take(uint32_t *gauge, const uint32_t *max)
{
	uint32_t limit = __atomic_load_n(max, __ATOMIC_RELAXED);
	uint32_t value = __atomic_load_n(gauge, __ATOMIC_SEQ_CST);
	while (limit == 0 || value < limit)
		if (__atomic_compare_exchange_n(
			    gauge, &value, value + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* Takes back a gauge that was raised for nothing.  For that moment it may have
 * looked full to others. */
static void gauge_return(struct accept_limits *limits, uint32_t *gauge)
{
	__atomic_fetch_sub(gauge, 1, __ATOMIC_SEQ_CST);
	wake_first(limits, gauge);
}

/* Takes a place in all three, or none: then the full one is returned. */
static const void *places_take(struct acceptor *acceptor)
{
	struct accept_limits *limits = acceptor->options.limits;
	struct listener *listener = acceptor->listener;
	struct frontend *frontend = listener->frontend;
	if (!gauge_take(&limits->conn_cur, &limits->maxconn))
		return &limits->conn_cur;
	if (!gauge_take(&frontend->conn_cur, &frontend->maxconn)) {
		gauge_return(limits, &limits->conn_cur);
		return &frontend->conn_cur;
	}
	if (!gauge_take(&listener->conn_cur, &listener->maxconn)) {
		gauge_return(limits, &frontend->conn_cur);
		gauge_return(limits, &limits->conn_cur);
		return &listener->conn_cur;
	}
	return NULL;
}

static void places_return(struct acceptor *acceptor)
{
	struct accept_limits *limits = acceptor->options.limits;
	gauge_return(limits, &acceptor->listener->conn_cur);
	gauge_return(limits, &acceptor->listener->frontend->conn_cur);
	gauge_return(limits, &limits->conn_cur);
}

/* How long to wait until `rate-limit sessions` lets one more in, 0: now. */
static uint32_t rate_delay_ms(struct acceptor *acceptor)
{
	struct frontend *frontend = acceptor->listener->frontend;
	unsigned limit = frontend->config->rate_limit_sessions;
	if (limit == 0 || rate_meter_read(&frontend->rate, loop_now_ms(acceptor->options.loop)) < limit)
		return 0;
	uint32_t delay_ms = 1000 / limit;
	if (delay_ms < RATE_WAIT_MIN_MS)
		return RATE_WAIT_MIN_MS;
	return delay_ms < RATE_WAIT_MAX_MS ? delay_ms : RATE_WAIT_MAX_MS;
}

static struct hindrance hindrance_find(struct acceptor *acceptor)
{
	struct frontend *frontend = acceptor->listener->frontend;
	if (__atomic_load_n(&frontend->state, __ATOMIC_SEQ_CST) != FRONTEND_OPEN)
		return (struct hindrance){&frontend->state, 0};
	uint32_t delay_ms = rate_delay_ms(acceptor);
	if (delay_ms > 0)
		return (struct hindrance){&frontend->rate, delay_ms};
	return (struct hindrance){places_take(acceptor), 0};
}

static void taken_count(struct acceptor *acceptor)
{
	struct accept_limits *limits = acceptor->options.limits;
	struct listener *listener = acceptor->listener;
	struct frontend *frontend = listener->frontend;
	uint64_t now_ms = loop_now_ms(acceptor->options.loop);
	CHECK(frontend != NULL && frontend->counters != NULL);
	__atomic_fetch_add(&limits->conn_total, 1, __ATOMIC_RELAXED);
	gauge_max(&limits->conn_max, __atomic_load_n(&limits->conn_cur, __ATOMIC_RELAXED));
	gauge_max(&frontend->conn_max, __atomic_load_n(&frontend->conn_cur, __ATOMIC_RELAXED));
	rate_meter_count_max(&limits->rate, &limits->rate_max, now_ms);
	rate_meter_count_max(&frontend->rate, &frontend->rate_max, now_ms);
	counter_add(&frontend->counters[acceptor->options.worker].connections, 1);
	counter_add(&listener->counters[acceptor->options.worker].connections, 1);
}

/* The acceptor's socket; -1 when it is closed. */
static int listening_fd(const struct acceptor *acceptor)
{
	const struct listener *listener = acceptor->listener;
	return listener
		->sockets[acceptor->options.worker + acceptor->options.round * listener->frontend->workers];
}

static enum accept_outcome accept_next(struct acceptor *acceptor, struct hindrance *ret_hindrance)
{
	*ret_hindrance = hindrance_find(acceptor);
	if (ret_hindrance->blocked_on)
		return ACCEPT_BLOCKED;
	return accept_placed(acceptor, ret_hindrance);
}

void acceptor_drain(struct acceptor *acceptor)
{
	enum accept_outcome outcome = ACCEPT_TAKEN;
	struct hindrance hindrance;
	CHECK(acceptor->options.limits != NULL);
	for (unsigned i = 0; i < DRAIN_MAX && (outcome == ACCEPT_TAKEN || outcome == ACCEPT_SKIPPED); i++) {
		if (listening_fd(acceptor) < 0 || places_take(acceptor))
			return;
		outcome = accept_placed(acceptor, &hindrance);
	}
}

/* With places taken, which are given back unless there is a connection. */
static enum accept_outcome accept_placed(struct acceptor *acceptor, struct hindrance *ret_hindrance)
{
	struct address peer;
	int fd = fd_accept(acceptor, &peer);
	if (fd >= 0) {
		acceptor->skips = 0;
		taken_count(acceptor);
		/* What waited in a queue before the socket was ours has inherited nothing. */
		if (acceptor->listener->is_inherited)
			listener_connection_prepare(fd);
		acceptor->options.on_accept(acceptor->options.context, acceptor->listener, fd, &peer);
		return ACCEPT_TAKEN;
	}
	places_return(acceptor);
	if (fd == -EAGAIN)
		return ACCEPT_DRAINED;
	if ((fd == -EINTR || fd == -ECONNABORTED) && ++acceptor->skips < SKIPS_MAX)
		return ACCEPT_SKIPPED;
	acceptor->skips = 0;
	*ret_hindrance = (struct hindrance){&acceptor->options.limits->exhausted, BACK_OFF_MS};
	return ACCEPT_BLOCKED;
}

/* Returns the fd, or: -EAGAIN: none is there; -EINTR or -ECONNABORTED: try the next;
 * else accepting must rest, counted when for want of descriptors or memory. */
static int fd_accept(struct acceptor *acceptor, struct address *ret_peer)
{
	*ret_peer = (struct address){.len = sizeof(struct sockaddr_un)};
	int fd =
		accept4(listening_fd(acceptor), &ret_peer->any, &ret_peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case EAGAIN:
		return -EAGAIN;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		__atomic_fetch_add(&acceptor->options.limits->exhausted, 1, __ATOMIC_RELAXED);
		return -errno;
	case EBADF:
	case EINVAL: /* another process has shut the shared socket down */
	case ENOTSOCK:
	case EFAULT:
		return -errno;
	case EINTR:
		return -EINTR;
	default:
		/* The connection failed before it was ours: ECONNABORTED, EPERM, EPROTO and
		 * the network's own errors, which accept(2) asks to treat like that. */
		return -ECONNABORTED;
	}
}

/* What blocked it may have gone between the look and the publication; then nobody
 * else would wake it. */
static bool is_still_blocked(const struct acceptor *acceptor, const void *blocked_on)
{
	const struct accept_limits *limits = acceptor->options.limits;
	const struct listener *listener = acceptor->listener;
	const struct frontend *frontend = listener->frontend;
	if (blocked_on == &limits->conn_cur)
		return is_full(&limits->conn_cur, &limits->maxconn);
	if (blocked_on == &frontend->conn_cur)
		return is_full(&frontend->conn_cur, &frontend->maxconn);
	if (blocked_on == &listener->conn_cur)
		return is_full(&listener->conn_cur, &listener->maxconn);
	if (blocked_on == &frontend->state)
		return __atomic_load_n(&frontend->state, __ATOMIC_SEQ_CST) != FRONTEND_OPEN;
	return true; /* a timer is set */
}

static void park(struct acceptor *acceptor, const struct hindrance *hindrance)
{
	struct accept_limits *limits = acceptor->options.limits;
	struct loop *loop = acceptor->options.loop;
	acceptor->is_parked = true;
	listening_set(acceptor, false);
	if (hindrance->delay_ms > 0)
		loop_timer_set(loop, &acceptor->timer, loop_now_ms(loop) + hindrance->delay_ms);

	pthread_mutex_lock(&limits->parked_lock);
	acceptor->blocked_on = hindrance->blocked_on;
	list_add(parked_list(limits), &acceptor->node);
	if (is_releasable(acceptor, hindrance->blocked_on))
		__atomic_fetch_add(&limits->parked_count, 1, __ATOMIC_SEQ_CST);
	/* Linked within the same locked stretch as the look: who changes what blocks us
	 * either does it before, or finds us in the list. */
	if (!is_still_blocked(acceptor, hindrance->blocked_on))
		wake_locked(acceptor);
	pthread_mutex_unlock(&limits->parked_lock);
}

/* On its own thread, by a message or the timer: tries at once, for there may be no
 * more readiness to wait for, and listens again unless that parked it anew. */
static void unpark(struct acceptor *acceptor, const void *woken_for)
{
	struct accept_limits *limits = acceptor->options.limits;
	loop_timer_cancel(acceptor->options.loop, &acceptor->timer);
	pthread_mutex_lock(&limits->parked_lock);
	unlink_locked(acceptor);
	pthread_mutex_unlock(&limits->parked_lock);
	acceptor->is_parked = false;
	burst(acceptor, woken_for);
	if (acceptor->is_started && !acceptor->is_parked)
		listening_set(acceptor, true);
}

/* The loop refuses only for want of memory or watches: then it is tried again later. */
static void listening_set(struct acceptor *acceptor, bool is_listening)
{
	struct loop *loop = acceptor->options.loop;
	struct loop_watch *watch = &acceptor->watch;
	unsigned interest = LOOP_LEVEL | (is_listening ? LOOP_READABLE : 0u);
	int error = 0;
	if (is_listening == acceptor->is_listening)
		return;
	acceptor->is_listening = is_listening;
	if (loop_watch_is_live(watch))
		error = loop_watch_change(loop, watch, interest);
	else if (is_listening)
		error = loop_watch_add(loop, watch, listening_fd(acceptor), interest, on_ready);
	if (error == 0)
		return;
	if (loop_watch_is_live(watch))
		loop_watch_remove(loop, watch, false);
	acceptor->is_listening = false;
	if (is_listening)
		park(acceptor, &(struct hindrance){&acceptor->options.limits->exhausted, BACK_OFF_MS});
}
