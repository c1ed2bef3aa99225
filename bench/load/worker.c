/* A thread of the load: event loop, phases, watchdog; see worker.h. */
#include "worker.h"

#include "client.h"
#include "now.h"
#include "peer.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	EVENTS = 512,
	CONNECTING_MAX = 128, /* under way at once in a thread, so that backlogs suffice */
	RING_ENTRIES = 1 << 20, /* messages under way that a thread can remember */
	RING_MIN = 16,
};
static const uint64_t stall_ns = 5000000000; /* without any progress */
static const uint64_t ending_max_ns = 10000000000; /* with progress */
static const uint64_t wait_max_ns = 50000000;
static const uint64_t wait_together_ns = 1000000; /* for other threads */

/* A power of two that gives each client its part of RING_ENTRIES. */
static uint64_t ring_len_for(unsigned clients, bool is_open_loop)
{
	uint64_t len = is_open_loop ? RING_ENTRIES : RING_MIN;
	while (len > RING_MIN && len * clients > RING_ENTRIES)
		len /= 2;
	return len;
}

static int clients_make(struct worker *worker)
{
	const struct load_options *options = worker->run->options;
	unsigned threads = options->threads;
	unsigned first = options->connections * worker->index / threads;
	worker->clients_len = options->connections * (worker->index + 1) / threads - first;
	worker->ring_len = ring_len_for(worker->clients_len, options->rate > 0);
	worker->clients = calloc(worker->clients_len, sizeof(*worker->clients));
	worker->times = calloc(worker->clients_len * worker->ring_len, sizeof(*worker->times));
	if (worker->clients == NULL || worker->times == NULL)
		return -ENOMEM;
	/* Touched now, so that no page is missing later. */
	memset(worker->times, 0xff, worker->clients_len * worker->ring_len * sizeof(*worker->times));
	for (unsigned i = 0; i < worker->clients_len; i++)
		client_init(&worker->clients[i], first + i);
	return 0;
}

static int listener_watch(struct worker *worker)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &worker->listener};
	if (worker->run->listener < 0)
		return 0;
	worker->listener.fd = worker->run->listener;
	return epoll_ctl(worker->poller, EPOLL_CTL_ADD, worker->listener.fd, &event) == 0 ? 0 : -errno;
}

int load_worker_init(struct worker *worker, struct run *run, unsigned index)
{
	*worker = (struct worker){.run = run, .index = index};
	list_init(&worker->ready);
	list_init(&worker->pending);
	list_init(&worker->peers_open);
	end_init(&worker->listener, END_LISTENER);
	pool_init(&worker->peers, peer_bytes(), PEERS_MAX);
	worker->poller = epoll_create1(EPOLL_CLOEXEC);
	if (worker->poller < 0)
		return -errno;
	int status = flow_scratch_init(&worker->scratch, run->file, run->options->sample_every);
	if (status == 0 && run->workload != NULL)
		status = clients_make(worker);
	if (status == 0)
		status = listener_watch(worker);
	return status;
}

void load_worker_release(struct worker *worker)
{
	if (worker->run == NULL)
		return;
	for (unsigned i = 0; worker->clients != NULL && i < worker->clients_len; i++)
		fd_close(&worker->clients[i].end.fd);
	peer_close_all(worker);
	pool_release(&worker->peers);
	free(worker->clients);
	free(worker->times);
	flow_scratch_release(&worker->scratch);
	fd_close(&worker->poller);
}

int worker_watch(struct worker *worker, struct end *end, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = end};
	return epoll_ctl(worker->poller, EPOLL_CTL_ADD, end->fd, &event) == 0 ? 0 : -errno;
}

void worker_close(struct worker *worker, struct end *end)
{
	(void)worker;
	list_remove(&end->ready);
	fd_close(&end->fd);
	end->can_read = end->can_write = end->is_hung_up = false;
}

void worker_wake(struct worker *worker, struct end *end)
{
	if (list_is_empty(&end->ready))
		list_add(&worker->ready, &end->ready);
}

static void notice(const struct run *run)
{
	uint64_t one = 1;
	(void)!write(run->notice, &one, sizeof(one));
}

void worker_client_ready(struct worker *worker, struct client *client)
{
	if (client->is_ready)
		return;
	client->is_ready = true;
	worker->ready_count++;
}

void worker_stop_all(struct worker *worker, const char *fatal)
{
	const char *none = NULL;
	if (fatal != NULL)
		(void)atomic_compare_exchange_strong(&worker->run->fatal, &none, fatal);
	atomic_store(&worker->run->is_stopping, true);
}

static uint64_t measure_start_ns(const struct worker *worker)
{
	uint64_t start_ns = atomic_load(&worker->run->start_ns);
	return start_ns == 0 ? UINT64_MAX : start_ns + (uint64_t)(worker->run->options->warmup_s * 1e9);
}

static uint64_t measure_end_ns(const struct worker *worker)
{
	uint64_t start_ns = measure_start_ns(worker);
	if (start_ns == UINT64_MAX || worker->run->options->is_held)
		return UINT64_MAX;
	return start_ns + (uint64_t)(worker->run->options->seconds * 1e9);
}

bool worker_is_measured(const struct worker *worker, uint64_t at_ns)
{
	return at_ns >= measure_start_ns(worker) && at_ns < measure_end_ns(worker);
}

uint64_t worker_due_until_ns(const struct worker *worker)
{
	uint64_t end_ns = measure_end_ns(worker);
	return worker->now_ns < end_ns ? worker->now_ns : end_ns - 1;
}

static enum phase phase_now(const struct worker *worker)
{
	if (atomic_load(&worker->run->is_stopping) || worker->now_ns >= measure_end_ns(worker))
		return PHASE_ENDING;
	if (worker->now_ns >= measure_start_ns(worker))
		return PHASE_MEASURING;
	return atomic_load(&worker->run->start_ns) != 0 ? PHASE_WARMING : PHASE_CONNECTING;
}

static struct reading reading_take(const struct worker *worker)
{
	struct reading reading = {.at_ns = worker->now_ns, .tally = worker->tally};
	(void)getrusage(RUSAGE_THREAD, &reading.usage);
	return reading;
}

static void ending_enter(struct worker *worker)
{
	worker->last = reading_take(worker);
	worker->ending_ns = worker->progress_ns = worker->now_ns;
	if (worker->run->workload->on_ending != NULL && worker->is_started)
		worker->run->workload->on_ending(worker);
	for (unsigned i = 0; i < worker->clients_len; i++)
		if (worker->clients[i].state != CLIENT_CLOSED)
			worker->run->workload->on_stop(worker, &worker->clients[i]);
}

static void phase_enter(struct worker *worker, enum phase phase)
{
	worker->phase = phase;
	switch (phase) {
	case PHASE_CONNECTING:
		break;
	case PHASE_WARMING:
		worker->is_started = atomic_load(&worker->run->start_ns) != 0;
		if (worker->is_started && worker->run->workload->on_start != NULL)
			worker->run->workload->on_start(worker);
		break;
	case PHASE_MEASURING:
		worker->first = reading_take(worker);
		break;
	case PHASE_ENDING:
		ending_enter(worker);
		break;
	}
}

static void tell_up(struct worker *worker)
{
	struct run *run = worker->run;
	if (worker->is_up_told || worker->ready_count < worker->clients_len)
		return;
	worker->is_up_told = true;
	if (atomic_fetch_add(&run->up_count, 1) + 1 < run->options->threads)
		return;
	atomic_store(&run->start_ns, worker->now_ns);
	notice(run);
}

static void tell_done(struct worker *worker)
{
	bool is_opening = worker->opened < worker->clients_len || !list_is_empty(&worker->pending);
	if (worker->is_done_told || worker->open_count > 0)
		return;
	if (worker->phase != PHASE_ENDING && (is_opening || worker->phase == PHASE_CONNECTING))
		return;
	if (worker->phase == PHASE_WARMING)
		worker->first = reading_take(worker);
	if (worker->phase != PHASE_ENDING)
		worker->last = reading_take(worker);
	worker->is_done_told = true;
	if (atomic_fetch_add(&worker->run->done_count, 1) + 1 == worker->run->options->threads)
		notice(worker->run);
}

static void open_more(struct worker *worker)
{
	while (worker->phase != PHASE_ENDING && worker->opened < worker->clients_len &&
		worker->connecting < CONNECTING_MAX) {
		if (client_open(worker, &worker->clients[worker->opened]) == -EAGAIN)
			return;
		worker->opened++;
	}
}

/* Whether something should move by now. */
static bool is_owed(const struct worker *worker)
{
	const struct workload *workload = worker->run->workload;
	if (worker->phase == PHASE_CONNECTING)
		return worker->ready_count < worker->clients_len;
	if (worker->open_count == 0)
		return false;
	return worker->phase == PHASE_ENDING || workload->is_waiting == NULL ||
		workload->is_waiting((struct worker *)(uintptr_t)worker);
}

static void stalled_fail(struct worker *worker)
{
	for (unsigned i = 0; i < worker->clients_len; i++) {
		struct client *client = &worker->clients[i];
		if (client->state == CLIENT_CONNECTING)
			client_fail(worker, client, LOAD_ERROR_CONNECT);
		else if (client->state != CLIENT_CLOSED &&
			(worker->phase != PHASE_CONNECTING || !client->is_ready))
			client_fail(worker, client, LOAD_ERROR_STALLED);
	}
	worker->opened = worker->clients_len;
	worker_stop_all(worker, NULL);
}

static uint64_t ending_limit_ns(const struct worker *worker)
{
	uint64_t limit_ms = worker->run->options->ending_max_ms;
	return worker->ending_ns + (limit_ms != 0 ? limit_ms * 1000000 : ending_max_ns);
}

/* Whoever waits for its verdict has no proof that all arrived: an error.  Messages owed are
 * counted as unanswered when their connection closes. */
static void overdue_close(struct worker *worker)
{
	for (unsigned i = 0; i < worker->clients_len; i++) {
		struct client *client = &worker->clients[i];
		if (client->state >= CLIENT_UP && client->is_finishing)
			client_fail(worker, client, LOAD_ERROR_STALLED);
		else
			client_close(worker, client, true);
	}
}

static void watchdog(struct worker *worker)
{
	if (!is_owed(worker))
		worker->progress_ns = worker->now_ns;
	if (worker->now_ns > worker->progress_ns + stall_ns)
		stalled_fail(worker);
	else if (worker->phase == PHASE_ENDING && worker->now_ns > ending_limit_ns(worker))
		overdue_close(worker);
}

static void clients_pass(struct worker *worker)
{
	const struct workload *workload = worker->run->workload;
	enum phase wanted = phase_now(worker);
	while (worker->phase < wanted)
		phase_enter(worker, worker->phase + 1);
	open_more(worker);
	if (workload->on_pass != NULL && worker->phase != PHASE_CONNECTING && worker->phase != PHASE_ENDING)
		workload->on_pass(worker);
}

/* After all have moved: is something amiss, is everything up, or done? */
static void clients_settle(struct worker *worker)
{
	watchdog(worker);
	tell_up(worker);
	tell_done(worker);
	atomic_store_explicit(&worker->shown_bytes, worker->tally.bytes, memory_order_relaxed);
	atomic_store_explicit(&worker->shown_messages, worker->tally.messages, memory_order_relaxed);
}

/* How long the loop may wait for events. */
static uint64_t wait_ns(const struct worker *worker)
{
	const struct workload *workload = worker->run->workload;
	uint64_t until = worker->now_ns + wait_max_ns;
	uint64_t edge = UINT64_MAX;
	if (!list_is_empty(&worker->ready))
		return 0;
	if (workload == NULL)
		return wait_max_ns;
	if (worker->is_done_told || (worker->is_up_told && worker->phase == PHASE_CONNECTING))
		until = worker->now_ns + wait_together_ns;
	if (worker->phase == PHASE_WARMING)
		edge = measure_start_ns(worker);
	else if (worker->phase == PHASE_MEASURING)
		edge = measure_end_ns(worker);
	until = edge < until ? edge : until;
	if (workload->next_ns != NULL && worker->phase != PHASE_CONNECTING && worker->phase != PHASE_ENDING)
		edge = workload->next_ns((struct worker *)(uintptr_t)worker);
	until = edge < until ? edge : until;
	uint64_t now = now_ns();
	return until > now ? until - now : 0;
}

static void event_mark(struct worker *worker, const struct epoll_event *event)
{
	struct end *end = event->data.ptr;
	bool is_broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
	end->is_hung_up = end->is_hung_up || is_broken || (event->events & EPOLLRDHUP) != 0;
	end->can_read = end->can_read || is_broken || (event->events & (EPOLLIN | EPOLLRDHUP)) != 0;
	end->can_write = end->can_write || is_broken || (event->events & EPOLLOUT) != 0;
	worker_wake(worker, end);
}

/* Sandboxes and kernels before 5.11 refuse epoll_pwait2(2); rounded up, so that a short wait is one. */
static int events_wait(struct worker *worker, struct epoll_event *ret_events, uint64_t wait)
{
	struct timespec limit = {
		.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
	if (!worker->is_wait_coarse) {
		int count = epoll_pwait2(worker->poller, ret_events, EVENTS, &limit, NULL);
		if (count >= 0 || errno == EINTR)
			return count;
		worker->is_wait_coarse = true;
	}
	return epoll_wait(worker->poller, ret_events, EVENTS, (int)((wait + 999999) / 1000000));
}

static void events_take(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	int count = events_wait(worker, events, wait_ns(worker));
	CHECK(count >= 0 || errno == EINTR);
	worker->now_ns = now_ns();
	for (int i = 0; i < count; i++)
		event_mark(worker, &events[i]);
}

static void end_step(struct worker *worker, struct end *end)
{
	switch (end->kind) {
	case END_LISTENER:
		peer_accept(worker);
		return;
	case END_PEER:
		peer_step(worker, end);
		return;
	case END_CLIENT:
		worker->stepping = end;
		client_step(worker, container_of(end, struct client, end));
		worker->stepping = NULL;
		return;
	}
	CHECK(false);
}

static void ready_step(struct worker *worker)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &worker->ready);
	while (!list_is_empty(&now)) {
		struct end *end = container_of(now.next, struct end, ready);
		list_remove(&end->ready);
		end_step(worker, end);
	}
}

static void stall_when_due(struct worker *worker)
{
	const struct load_options *options = worker->run->options;
	struct timespec pause = {.tv_sec = (time_t)(options->stall_ms / 1000),
		.tv_nsec = (long)(options->stall_ms % 1000) * 1000000};
	if (options->stall_every_ms == 0 || worker->now_ns < worker->next_stall_ns)
		return;
	if (worker->next_stall_ns != 0)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	worker->next_stall_ns = worker->now_ns + options->stall_every_ms * 1000000;
}

static bool is_over(const struct worker *worker)
{
	if (worker->run->workload == NULL)
		return atomic_load(&worker->run->is_stopping);
	return atomic_load(&worker->run->done_count) == worker->run->options->threads;
}

void *worker_main(void *argument)
{
	struct worker *worker = argument;
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	worker->now_ns = worker->progress_ns = now_ns();
	while (!is_over(worker)) {
		events_take(worker);
		stall_when_due(worker);
		if (worker->run->workload != NULL)
			clients_pass(worker);
		ready_step(worker);
		if (worker->run->workload != NULL)
			clients_settle(worker);
	}
	return NULL;
}
