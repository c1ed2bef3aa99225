/* Messages and their answers, in closed loop, at a rate, in bursts, or only at
 * both ends of a quiet time; see messages.h.  Latency counts from the moment a
 * message was due, not from when it could be sent. */
#include "messages.h"

#include "client.h"
#include "now.h"

enum { LATE_NS = 1000000 };

static uint64_t *time_of(const struct worker *worker, const struct client *client, uint64_t message)
{
	uint64_t place = (uint64_t)(client - worker->clients) * worker->ring_len;
	return &worker->times[place + (message & (worker->ring_len - 1))];
}

static void ask(struct worker *worker, struct client *client, uint64_t due_ns)
{
	if (client->asked - client->answered >= worker->ring_len) {
		worker->tally.errors[LOAD_ERROR_STALLED]++;
		return;
	}
	*time_of(worker, client, client->asked) = due_ns;
	client->asked++;
	worker->outstanding++;
	client_allow(worker, client, client->asked * worker->run->options->size);
}

/* Counts the messages whose first byte went out late. */
static void begun_note(struct worker *worker, struct client *client, uint64_t now)
{
	uint32_t size = worker->run->options->size;
	uint64_t begun = (client->out.offset + size - 1) / size;
	for (; client->begun < begun; client->begun++) {
		uint64_t due_ns = *time_of(worker, client, client->begun);
		if (now > due_ns + LATE_NS && worker_is_measured(worker, due_ns))
			worker->tally.late_sends++;
	}
}

static void answers_note(struct worker *worker, struct client *client, uint64_t now)
{
	const struct load_options *options = worker->run->options;
	uint64_t complete = client->in.offset / (options->answer != 0 ? options->answer : options->size);
	for (; client->answered < complete && client->answered < client->asked; client->answered++) {
		uint64_t due_ns = *time_of(worker, client, client->answered);
		if (worker_is_measured(worker, due_ns))
			histogram_add(&worker->latency, now > due_ns ? now - due_ns : 0);
		worker->tally.messages++;
		worker->outstanding--;
	}
}

static bool is_quiet(const struct client *client)
{
	return client->asked == client->answered;
}

static void on_up(struct worker *worker, struct client *client)
{
	ask(worker, client, now_ns());
}

static void note(struct worker *worker, struct client *client)
{
	uint64_t now = now_ns();
	begun_note(worker, client, now);
	answers_note(worker, client, now);
	if (is_quiet(client))
		worker_client_ready(worker, client);
}

static void on_moved(struct worker *worker, struct client *client)
{
	note(worker, client);
	if (!is_quiet(client) || client->is_finishing)
		return;
	if (worker->phase == PHASE_ENDING)
		client_finish(worker, client);
	else if (worker->phase != PHASE_CONNECTING && worker->run->options->rate == 0)
		ask(worker, client, now_ns());
}

/* What was never answered counts with the age it had. */
static void on_closed(struct worker *worker, struct client *client)
{
	uint64_t now = now_ns();
	for (; client->answered < client->asked; client->answered++) {
		uint64_t due_ns = *time_of(worker, client, client->answered);
		worker->outstanding--;
		if (!worker_is_measured(worker, due_ns))
			continue;
		worker->tally.unanswered++;
		histogram_add(&worker->latency, now > due_ns ? now - due_ns : 0);
	}
}

static void closed_loop_start(struct worker *worker)
{
	for (unsigned i = 0; i < worker->clients_len; i++)
		if (worker->clients[i].state == CLIENT_UP)
			ask(worker, &worker->clients[i], now_ns());
}

static void on_start(struct worker *worker)
{
	const struct load_options *options = worker->run->options;
	uint64_t start_ns = atomic_load(&worker->run->start_ns);
	if (options->rate == 0) {
		closed_loop_start(worker);
		return;
	}
	/* The threads' evenly spaced messages lie between each other. */
	double rate = options->rate * worker->clients_len / options->connections;
	start_ns += (uint64_t)(1e9 / options->rate * worker->index);
	schedule_init(&worker->schedule, options->arrival, rate, start_ns, options->seed + worker->index);
}

static void on_start_together(struct worker *worker)
{
	const struct load_options *options = worker->run->options;
	uint64_t start_ns = atomic_load(&worker->run->start_ns);
	schedule_init(&worker->schedule, options->arrival, options->rate, start_ns, options->seed);
}

/* The next that is up, in turn. */
static void ask_next(struct worker *worker, uint64_t due_ns)
{
	for (unsigned tries = 0; tries < worker->clients_len; tries++) {
		struct client *client = &worker->clients[worker->next_client];
		worker->next_client = (worker->next_client + 1) % worker->clients_len;
		if (client->state != CLIENT_UP)
			continue;
		ask(worker, client, due_ns);
		return;
	}
}

/* Also when measuring has ended: what was due until then is not left out because the last pass came late. */
static void on_pass(struct worker *worker)
{
	uint64_t due_ns;
	if (worker->run->options->rate == 0)
		return;
	while (schedule_take(&worker->schedule, worker_due_until_ns(worker), &due_ns))
		ask_next(worker, due_ns);
}

static void on_pass_together(struct worker *worker)
{
	uint64_t due_ns;
	while (schedule_take(&worker->schedule, worker_due_until_ns(worker), &due_ns))
		for (unsigned i = 0; i < worker->clients_len; i++)
			if (worker->clients[i].state == CLIENT_UP)
				ask(worker, &worker->clients[i], due_ns);
}

static uint64_t next_ns(struct worker *worker)
{
	return worker->run->options->rate == 0 ? UINT64_MAX : schedule_next_ns(&worker->schedule);
}

static void on_stop(struct worker *worker, struct client *client)
{
	if (is_quiet(client) || client->state == CLIENT_CONNECTING)
		client_finish(worker, client);
}

static bool is_waiting(struct worker *worker)
{
	return worker->outstanding > 0;
}

const struct workload workload_messages = {
	.name = "pingpong",
	.on_up = on_up,
	.on_moved = on_moved,
	.on_closed = on_closed,
	.on_start = on_start,
	.on_pass = on_pass,
	.on_ending = on_pass,
	.on_stop = on_stop,
	.next_ns = next_ns,
	.is_waiting = is_waiting,
};

const struct workload workload_incast = {
	.name = "incast",
	.on_up = on_up,
	.on_moved = on_moved,
	.on_closed = on_closed,
	.on_start = on_start_together,
	.on_pass = on_pass_together,
	.on_ending = on_pass_together,
	.on_stop = on_stop,
	.next_ns = next_ns,
	.is_waiting = is_waiting,
};

static void idle_on_moved(struct worker *worker, struct client *client)
{
	note(worker, client);
	if (worker->phase == PHASE_ENDING && is_quiet(client) && !client->is_finishing)
		client_finish(worker, client);
}

/* One more exchange shows that the connection was held. */
static void idle_on_stop(struct worker *worker, struct client *client)
{
	if (client->state == CLIENT_UP)
		ask(worker, client, now_ns());
	else
		client_finish(worker, client);
}

const struct workload workload_idle = {
	.name = "idle",
	.on_up = on_up,
	.on_moved = idle_on_moved,
	.on_closed = on_closed,
	.on_stop = idle_on_stop,
	.is_waiting = is_waiting,
};
