/* The server's side; see peer.h. */
#include "peer.h"

#include "base/check.h"

#include "now.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ACCEPTS_AT_ONCE = 32 };

enum peer_state {
	PEER_HELLO, /* reading it */
	PEER_MOVING,
	PEER_ENDING, /* the client ended its direction: what is owed, then the verdict */
};

struct peer {
	struct end end;
	struct list open; /* in the worker's */
	enum peer_state state;
	uint8_t hello_len;
	uint8_t hello_bytes[WIRE_BYTES];
	struct wire_hello hello;
	struct flow_in in;
	struct flow_out out;
	bool is_verdict_made;
};

size_t peer_bytes(void)
{
	return sizeof(struct peer);
}

static void peer_close(struct worker *worker, struct peer *peer)
{
	worker_close(worker, &peer->end);
	list_remove(&peer->open);
	pool_put(&worker->peers, peer);
}

void peer_close_all(struct worker *worker)
{
	while (!list_is_empty(&worker->peers_open))
		peer_close(worker, container_of(worker->peers_open.next, struct peer, open));
}

static bool accept_one(struct worker *worker)
{
	int one = 1;
	int fd = accept4(worker->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return false;
	struct peer *peer = pool_get(&worker->peers);
	struct end end;
	end_init(&end, END_PEER);
	end.fd = fd;
	/* It fails on unix sockets, which have no Nagle. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (peer == NULL) {
		worker_close(worker, &end);
		return true;
	}
	peer->end = end;
	list_init(&peer->end.ready);
	list_init(&peer->open);
	list_add(&worker->peers_open, &peer->open);
	if (worker_watch(worker, &peer->end, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
		peer_close(worker, peer);
	}
	return true;
}

void peer_accept(struct worker *worker)
{
	worker->listener.can_read = false;
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++)
		if (!accept_one(worker))
			return;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, &pause) == EINTR)
		;
}

/* The slow server that an open loop is to see: every message costs delay_us. */
static void delay(const struct worker *worker, const struct peer *peer, uint64_t before)
{
	uint64_t each = worker->run->options->delay_us * 1000;
	if (each == 0 || peer->hello.message_bytes == 0)
		return;
	uint64_t messages = peer->in.offset / peer->hello.message_bytes - before / peer->hello.message_bytes;
	if (messages > 0)
		sleep_ns(messages * each);
}

static uint64_t owed(const struct peer *peer)
{
	switch (peer->hello.role) {
	case WIRE_SINK:
		return 0;
	case WIRE_SOURCE:
	case WIRE_BOTH:
		return UINT64_MAX;
	case WIRE_ECHO:
		return peer->in.offset;
	case WIRE_REPLY:
		return peer->in.offset / peer->hello.message_bytes * peer->hello.answer_bytes;
	}
	CHECK(false);
}

/* What came was counted: allows the answer.  A wrong byte on the way up spoils it on
 * purpose, so that a client which asks no verdict sees it too. */
static void took(struct worker *worker, struct peer *peer, uint64_t before, uint64_t verified_before)
{
	worker->tally.bytes += peer->in.offset - before;
	worker->tally.peer_verified += peer->in.verified - verified_before;
	delay(worker, peer, before);
	bool is_answering = peer->hello.role == WIRE_ECHO || peer->hello.role == WIRE_REPLY;
	if (is_answering && peer->in.bad_offset != UINT64_MAX && !peer->is_verdict_made) {
		peer->out.pattern = pattern_unique(peer->hello.seed ^ 0x5b0117);
		peer->out.is_sampled = false;
	}
	peer->out.limit = owed(peer);
}

static void flows_start(struct worker *worker, struct peer *peer, const uint8_t *rest, size_t len)
{
	const struct wire_hello *hello = &peer->hello;
	struct pattern up = hello->is_sampled ? pattern_periodic() : pattern_unique(hello->seed);
	bool is_same = hello->is_sampled || hello->role == WIRE_ECHO;
	peer->out = (struct flow_out){
		.pattern = is_same ? up : pattern_unique(~hello->seed), .is_sampled = hello->is_sampled};
	peer->in = flow_in_start(up, hello->is_sampled);
	peer->state = PEER_MOVING;
	flow_in_take(&peer->in, rest, len);
	took(worker, peer, 0, 0);
}

/* false when the connection is over. */
static bool hello_read(struct worker *worker, struct peer *peer)
{
	uint8_t *bytes = worker->scratch.in;
	ssize_t got = recv(peer->end.fd, bytes, FLOW_CHUNK_BYTES, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		peer->end.can_read = errno == EINTR;
		return true;
	}
	if (got <= 0)
		return false;
	if (got < FLOW_CHUNK_BYTES && !peer->end.is_hung_up)
		peer->end.can_read = false;
	size_t used = 0;
	while (used < (size_t)got && peer->hello_len < WIRE_BYTES)
		peer->hello_bytes[peer->hello_len++] = bytes[used++];
	if (peer->hello_len < WIRE_BYTES)
		return true;
	if (!wire_get_hello(peer->hello_bytes, &peer->hello))
		return false;
	flows_start(worker, peer, bytes + used, (size_t)got - used);
	return true;
}

/* false when the connection is over. */
static bool input_ended(struct peer *peer)
{
	if (peer->hello.is_closing)
		return false;
	peer->state = PEER_ENDING;
	peer->end.can_read = false;
	if (peer->out.limit == UINT64_MAX)
		peer->out.limit = peer->out.offset;
	return true;
}

/* false when the connection is over. */
static bool read_step(struct worker *worker, struct peer *peer)
{
	bool is_empty;
	uint64_t before = peer->in.offset, verified_before = peer->in.verified;
	ssize_t got = flow_in_step(&peer->in, peer->end.fd, &worker->scratch, &is_empty);
	if (got == 0)
		return input_ended(peer);
	if (got == -EAGAIN || (got > 0 && is_empty && !peer->end.is_hung_up))
		peer->end.can_read = false;
	if (got < 0)
		return got == -EAGAIN || got == -EINTR;
	took(worker, peer, before, verified_before);
	return true;
}

static void verdict_make(struct peer *peer)
{
	struct wire_verdict verdict = {.received = peer->in.offset,
		.sent = peer->out.offset,
		.verified = peer->in.verified,
		.bad_offset = peer->in.bad_offset};
	wire_put_verdict(&verdict, peer->out.head);
	peer->out.head_len = WIRE_BYTES;
	peer->is_verdict_made = true;
}

/* false when the connection is over. */
static bool write_step(struct worker *worker, struct peer *peer)
{
	bool is_full;
	ssize_t sent = flow_out_step(&peer->out, peer->end.fd, &worker->scratch, &is_full);
	if (is_full || sent == -EAGAIN)
		peer->end.can_write = false;
	return sent >= 0 || sent == -EAGAIN || sent == -EINTR;
}

/* false when the connection is over. */
static bool step(struct worker *worker, struct peer *peer)
{
	if (peer->state == PEER_HELLO && peer->end.can_read && !hello_read(worker, peer))
		return false;
	if (peer->state == PEER_MOVING && peer->end.can_read && !read_step(worker, peer))
		return false;
	if (peer->state == PEER_ENDING && !flow_out_is_pending(&peer->out) && !peer->is_verdict_made)
		verdict_make(peer);
	if (peer->end.can_write && flow_out_is_pending(&peer->out) && !write_step(worker, peer))
		return false;
	return peer->state != PEER_ENDING || !peer->is_verdict_made || flow_out_is_pending(&peer->out);
}

void peer_step(struct worker *worker, struct end *end)
{
	struct peer *peer = container_of(end, struct peer, end);
	if (!step(worker, peer)) {
		peer_close(worker, peer);
		return;
	}
	bool can_send = peer->end.can_write && flow_out_is_pending(&peer->out);
	bool is_owing =
		peer->state == PEER_ENDING && !peer->is_verdict_made && !flow_out_is_pending(&peer->out);
	if (peer->end.can_read || can_send || is_owing)
		worker_wake(worker, &peer->end);
}
