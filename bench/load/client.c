/* A client's connection; see client.h. */
#include "client.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/hash.h"

#include "now.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void client_init(struct client *client, unsigned index)
{
	*client = (struct client){.index = index};
	end_init(&client->end, END_CLIENT);
	list_init(&client->pending);
}

static enum wire_role role_of(const struct load_options *options)
{
	if (options->command != LOAD_BULK)
		return options->answer != 0 ? WIRE_REPLY : WIRE_ECHO;
	switch (options->direction) {
	case DIRECTION_UP:
		return WIRE_SINK;
	case DIRECTION_DOWN:
		return WIRE_SOURCE;
	case DIRECTION_BOTH:
		return WIRE_BOTH;
	}
	CHECK(false);
}

static void flows_start(struct client *client, const struct load_options *options)
{
	uint64_t seed =
		hash_mix(options->seed ^ hash_mix(((uint64_t)client->index << 40) + client->serial++));
	struct wire_hello hello = {.role = role_of(options),
		.is_sampled = options->is_sampled,
		.is_closing = options->is_half_close_off || options->command == LOAD_CHURN,
		.message_bytes = options->size,
		.answer_bytes = options->answer,
		.seed = seed};
	bool is_echo = hello.role == WIRE_ECHO;
	struct pattern up = options->is_sampled ? pattern_periodic() : pattern_unique(seed);
	struct pattern down = options->is_sampled || is_echo ? up : pattern_unique(~seed);
	client->out =
		(struct flow_out){.pattern = up, .is_sampled = options->is_sampled, .head_len = WIRE_BYTES};
	wire_put_hello(&hello, client->out.head);
	client->in = flow_in_start(down, options->is_sampled);
}

void client_close(struct worker *worker, struct client *client, bool is_reset)
{
	struct linger at_once = {.l_onoff = 1};
	if (client->state == CLIENT_CLOSED)
		return;
	if (client->state == CLIENT_CONNECTING)
		worker->connecting--;
	if (is_reset)
		(void)setsockopt(client->end.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	worker_close(worker, &client->end);
	client->state = CLIENT_CLOSED;
	worker->open_count--;
	worker->tally.verified += client->in.verified;
	client->in.verified = 0;
	worker_client_ready(worker, client);
	if (worker->run->workload->on_closed != NULL)
		worker->run->workload->on_closed(worker, client);
	client->opened_ns = 0;
}

void client_fail(struct worker *worker, struct client *client, enum load_error error)
{
	worker->tally.errors[error]++;
	client_close(worker, client, true);
}

static void fail_connect(struct worker *worker, struct client *client, int error)
{
	if (worker->connect_errno == 0)
		worker->connect_errno = error;
	client_fail(worker, client, LOAD_ERROR_CONNECT);
}

/* Failures that other connections will meet too. */
static const char *fatal_reason(int error)
{
	if (error == EADDRNOTAVAIL)
		return "no local port is free for another connection: widen net.ipv4.ip_local_port_range, "
		       "close by --reset, or use fewer connections";
	if (error == EMFILE || error == ENFILE)
		return "no file descriptor is left for another connection: raise the limit";
	return NULL;
}

int client_open(struct worker *worker, struct client *client)
{
	CHECK(client->state == CLIENT_CLOSED);
	/* A full backlog is waited for: the first try's time stays. */
	if (client->opened_ns == 0)
		client->opened_ns = now_ns();
	int fd = place_connect(&worker->run->options->to);
	if (fd == -EAGAIN)
		return -EAGAIN;
	client->state = CLIENT_CONNECTING;
	client->asked = client->begun = client->answered = 0;
	client->is_finishing = false;
	worker->connecting++;
	worker->open_count++;
	if (fd >= 0) {
		client->end.fd = fd;
		flows_start(client, worker->run->options);
		fd = worker_watch(worker, &client->end, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	}
	if (fd >= 0)
		return 0;
	const char *fatal = fatal_reason(-fd);
	if (fatal != NULL)
		worker_stop_all(worker, fatal);
	fail_connect(worker, client, -fd);
	return fd;
}

static void fail_pattern(struct worker *worker, struct client *client, uint64_t offset, bool is_up)
{
	if (!worker->first_bad.is_known) {
		worker->first_bad.is_known = true;
		worker->first_bad.is_up = is_up;
		worker->first_bad.client = client->index;
		worker->first_bad.offset = offset;
	}
	client_fail(worker, client, LOAD_ERROR_PATTERN);
}

static void fail_by_errno(struct worker *worker, struct client *client, int error)
{
	bool is_timeout = error == ETIMEDOUT;
	client_fail(worker, client, is_timeout ? LOAD_ERROR_STALLED : LOAD_ERROR_RESET);
}

static void connect_step(struct worker *worker, struct client *client)
{
	int error = fd_pending_error(client->end.fd);
	if (error != 0) {
		fail_connect(worker, client, error);
		return;
	}
	if (!client->end.can_write)
		return;
	client->state = CLIENT_UP;
	worker->connecting--;
	worker->progress_ns = worker->now_ns;
	worker->run->workload->on_up(worker, client);
}

static void verdict_read(struct worker *worker, struct client *client)
{
	struct wire_verdict verdict;
	if (client->in.tail_len < WIRE_BYTES) {
		client_fail(worker, client, LOAD_ERROR_EARLY_END);
	} else if (!wire_get_verdict(client->in.tail, &verdict)) {
		fail_pattern(worker, client, client->in.offset, false);
	} else if (verdict.bad_offset != UINT64_MAX) {
		fail_pattern(worker, client, verdict.bad_offset, true);
	} else if (verdict.received != client->out.offset || verdict.sent != client->in.offset) {
		client_fail(worker, client, LOAD_ERROR_EARLY_END);
	} else {
		if (worker->run->listener < 0)
			worker->tally.peer_verified += verdict.verified;
		client_close(worker, client, false);
	}
}

static void read_end(struct worker *worker, struct client *client)
{
	if (client->state == CLIENT_DRAINING)
		verdict_read(worker, client);
	else
		client_fail(worker, client, LOAD_ERROR_EARLY_END);
}

static void read_step(struct worker *worker, struct client *client)
{
	bool is_empty;
	uint64_t before = client->in.offset;
	ssize_t got = flow_in_step(&client->in, client->end.fd, &worker->scratch, &is_empty);
	if (got == -EAGAIN || (got > 0 && is_empty && !client->end.is_hung_up))
		client->end.can_read = false;
	if (got == 0) {
		read_end(worker, client);
		return;
	}
	if (got < 0) {
		if (got != -EAGAIN && got != -EINTR)
			fail_by_errno(worker, client, (int)-got);
		return;
	}
	worker->progress_ns = worker->now_ns;
	worker->tally.bytes += client->in.offset - before;
	if (client->in.bad_offset != UINT64_MAX)
		fail_pattern(worker, client, client->in.bad_offset, false);
}

static void write_step(struct worker *worker, struct client *client)
{
	bool is_full;
	ssize_t sent = flow_out_step(&client->out, client->end.fd, &worker->scratch, &is_full);
	if (is_full || sent == -EAGAIN)
		client->end.can_write = false;
	if (sent < 0) {
		if (sent != -EAGAIN && sent != -EINTR)
			fail_by_errno(worker, client, (int)-sent);
		return;
	}
	worker->progress_ns = worker->now_ns;
	/* Where the server runs here it counts what arrives. */
	if (worker->run->listener < 0)
		worker->tally.bytes += (uint64_t)sent;
}

static void half_close_when_sent(struct worker *worker, struct client *client)
{
	if (!client->is_finishing || client->state != CLIENT_UP || flow_out_is_pending(&client->out))
		return;
	client->state = CLIENT_DRAINING;
	client->in.is_draining = true;
	if (shutdown(client->end.fd, SHUT_WR) != 0)
		fail_by_errno(worker, client, errno);
}

void client_finish(struct worker *worker, struct client *client)
{
	if (client->state != CLIENT_UP || worker->run->options->is_half_close_off) {
		client_close(worker, client, false);
		return;
	}
	client->is_finishing = true;
	worker_wake(worker, &client->end);
}

void client_allow(struct worker *worker, struct client *client, uint64_t limit)
{
	client->out.limit = limit;
	if (client->end.can_write && worker->stepping != &client->end)
		worker_wake(worker, &client->end);
}

void client_step(struct worker *worker, struct client *client)
{
	const struct workload *workload = worker->run->workload;
	if (client->state == CLIENT_CONNECTING)
		connect_step(worker, client);
	if (client->state >= CLIENT_UP && client->end.can_read) {
		read_step(worker, client);
		if (client->state == CLIENT_UP)
			workload->on_moved(worker, client);
	}
	if (client->state == CLIENT_UP && client->end.can_write && flow_out_is_pending(&client->out)) {
		write_step(worker, client);
		if (client->state == CLIENT_UP)
			workload->on_moved(worker, client);
	}
	half_close_when_sent(worker, client);
	if (client->state < CLIENT_UP)
		return;
	bool can_send = client->end.can_write && flow_out_is_pending(&client->out);
	if (client->end.can_read || can_send)
		worker_wake(worker, &client->end);
}
