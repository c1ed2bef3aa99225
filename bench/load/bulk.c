/* Streams as fast as the path takes them; see messages.h. */
#include "messages.h"

#include "client.h"

static void on_up(struct worker *worker, struct client *client)
{
	bool is_sending = worker->run->options->direction != DIRECTION_DOWN;
	client_allow(worker, client, is_sending ? UINT64_MAX : 0);
	worker_client_ready(worker, client);
}

static void on_moved(struct worker *worker, struct client *client)
{
	(void)worker, (void)client;
}

static void on_stop(struct worker *worker, struct client *client)
{
	client->out.limit = client->out.offset;
	client_finish(worker, client);
}

const struct workload workload_bulk = {
	.name = "bulk",
	.on_up = on_up,
	.on_moved = on_moved,
	.on_stop = on_stop,
};
