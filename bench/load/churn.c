/* Connect, an exchange or more, close, and again; see messages.h. */
#include "messages.h"

#include "client.h"
#include "now.h"

#include <errno.h>

enum { ERRORS_MAX = 1000 }; /* then the load ends: it measures nothing any more */

static void on_up(struct worker *worker, struct client *client)
{
	client->asked++;
	client_allow(worker, client, client->asked * worker->run->options->size);
}

static void on_moved(struct worker *worker, struct client *client)
{
	const struct load_options *options = worker->run->options;
	if (client->in.offset < client->asked * (options->answer != 0 ? options->answer : options->size))
		return;
	client->answered++;
	worker->tally.messages++;
	if (client->answered < options->messages) {
		on_up(worker, client);
		return;
	}
	if (worker_is_measured(worker, client->opened_ns))
		histogram_add(&worker->latency, now_ns() - client->opened_ns);
	worker->tally.connections_done++;
	client_close(worker, client, options->is_reset);
}

/* What never came to its end counts with the age it had. */
static void unanswered_note(struct worker *worker, const struct client *client)
{
	if (client->opened_ns == 0 || !worker_is_measured(worker, client->opened_ns))
		return;
	worker->tally.unanswered++;
	histogram_add(&worker->latency, now_ns() - client->opened_ns);
}

static void on_closed(struct worker *worker, struct client *client)
{
	if (client->answered < worker->run->options->messages)
		unanswered_note(worker, client);
	if (worker->phase == PHASE_ENDING)
		return;
	if (tally_errors(&worker->tally) >= ERRORS_MAX)
		worker_stop_all(worker, "1000 connections failed: the load was ended");
	list_add(&worker->pending, &client->pending);
}

/* Those that closed connect again; who cannot now tries in the next pass. */
static void reopen(struct worker *worker)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &worker->pending);
	while (!list_is_empty(&now)) {
		struct client *client = container_of(now.next, struct client, pending);
		list_remove(&client->pending);
		if (client_open(worker, client) == -EAGAIN)
			list_add(&worker->pending, &client->pending);
	}
}

static void on_start(struct worker *worker)
{
	reopen(worker);
}

static uint64_t next_ns(struct worker *worker)
{
	return list_is_empty(&worker->pending) ? UINT64_MAX : 0;
}

/* Those that a full backlog kept out are not tried again. */
static void on_ending(struct worker *worker)
{
	for (struct list *at = worker->pending.next; at != &worker->pending; at = at->next)
		unanswered_note(worker, container_of(at, struct client, pending));
}

/* A connection under way is completed, also one that still connects: without the slow ones the
 * latency would be that of the survivors. */
static void on_stop(struct worker *worker, struct client *client)
{
	(void)worker, (void)client;
}

const struct workload workload_churn = {
	.name = "churn",
	.on_up = on_up,
	.on_moved = on_moved,
	.on_closed = on_closed,
	.on_start = on_start,
	.on_ending = on_ending,
	.on_pass = reopen,
	.on_stop = on_stop,
	.next_ns = next_ns,
};
