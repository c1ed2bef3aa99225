/* The exchanges of the burst client: one blocking connection, a block out and
 * its echo in.  Filling and checking the pattern is outside of the
 * timed part. */
#include "burst.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, NS_PER_US = 1000, US_PER_MS = 1000, EXTRA_BYTES = 4096 };

struct client {
	const struct burst_options *options;
	struct burst_run *run;
	int fd;
	bool has_connected;
	uint64_t position; /* of the stream: where the next block's pattern starts */
	char *sent, *received; /* options->size each */
};

static const char *const status_names[BURST_STATUSES] = {
	[BURST_OK] = "ok",
	[BURST_CONNECT] = "connect",
	[BURST_RESET] = "reset",
	[BURST_EARLY_END] = "early_end",
	[BURST_PATTERN] = "pattern",
	[BURST_STALLED] = "stalled",
};

const char *burst_status_name(enum burst_status status)
{
	CHECK((unsigned)status < BURST_STATUSES);
	return status_names[status];
}

uint64_t burst_failures(const struct burst_run *run)
{
	uint64_t sum = 0;

	for (unsigned status = BURST_OK + 1; status < BURST_STATUSES; status++)
		sum += run->failures[status];
	return sum;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A pause that belongs to the offered load, not a wait for an event. */
static void pause_us(uint64_t microseconds)
{
	struct timespec pause = {.tv_sec = (time_t)(microseconds / 1000000),
		.tv_nsec = (long)(microseconds % 1000000) * NS_PER_US};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, &pause) == EINTR)
		;
}

static void prepare_busy_poll(struct client *client, int fd)
{
	int value = (int)client->options->busy_poll_us;

	if (value > 0 && setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &value, sizeof(value)) != 0)
		client->run->busy_poll_note = "refused: it needs CAP_NET_ADMIN";
}

/* Known only when a packet has come. */
static void check_busy_poll(struct client *client)
{
	unsigned queue = 0;
	socklen_t len = sizeof(queue);

	if (client->options->busy_poll_us > 0 && !client->run->busy_poll_note &&
		getsockopt(client->fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &queue, &len) == 0 && queue == 0)
		client->run->busy_poll_note =
			"no effect: the connection does not come through a device queue that can be polled";
}

static bool set_congestion(const struct client *client, int fd)
{
	const char *name = client->options->congestion;

	return !name || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

/* Time limits on both directions make blocking calls notice a stall. */
static bool open_connection(struct client *client)
{
	const struct address *to = &client->options->to;
	struct timeval limit = {
		.tv_sec = BURST_STALL_MS / 1000, .tv_usec = BURST_STALL_MS % 1000 * (suseconds_t)US_PER_MS};
	int one = 1;
	FD_AUTO int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
		!set_congestion(client, fd) || connect(fd, &to->any, to->len) != 0)
		return false;
	prepare_busy_poll(client, fd);
	client->fd = fd;
	fd = -1;
	client->run->reconnects += client->has_connected;
	client->has_connected = true;
	/* A server may still be preparing what will carry the bytes. */
	pause_us((uint64_t)client->options->settle_ms * US_PER_MS);
	return true;
}

static enum burst_status status_of_error(int error)
{
	if (error == EAGAIN || error == ETIMEDOUT)
		return BURST_STALLED;
	return BURST_RESET;
}

/* Sends what fits.  Returns true when it moved or may try again; false sets
 * *ret_status. */
static bool send_some(struct client *client, size_t *sent, bool *ret_is_full, enum burst_status *ret_status)
{
	size_t left = client->options->size - *sent;
	ssize_t count = send(client->fd, client->sent + *sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);

	*ret_is_full = count < 0 && errno == EAGAIN;
	if (count >= 0)
		*sent += (size_t)count;
	else if (errno != EAGAIN && errno != EINTR) {
		*ret_status = status_of_error(errno);
		return false;
	}
	return true;
}

static bool receive_some(
	struct client *client, size_t *received, int message_flags, enum burst_status *ret_status)
{
	size_t left = client->options->size - *received;
	ssize_t count = recv(client->fd, client->received + *received, left, message_flags);

	if (count > 0) {
		*received += (size_t)count;
		return true;
	}
	if (count < 0 && (errno == EINTR || (errno == EAGAIN && (message_flags & MSG_DONTWAIT))))
		return true;
	*ret_status = count == 0 ? BURST_EARLY_END : status_of_error(errno);
	return false;
}

static bool wait_for_either(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN | POLLOUT};

	for (;;) {
		int count = poll(&waiting, 1, BURST_STALL_MS);

		if (count < 0 && errno == EINTR)
			continue;
		return count > 0;
	}
}

/* The timed part: while bytes are left to send neither direction waits for the
 * other; then it blocks in recv(2), so that the kernel may poll the device. */
static enum burst_status exchange_block(struct client *client)
{
	size_t size = client->options->size, sent = 0, received = 0;
	enum burst_status status = BURST_OK;

	while (sent < size) {
		size_t received_before = received;
		bool is_full = false;

		if (!send_some(client, &sent, &is_full, &status))
			return status;
		if (received < size && !receive_some(client, &received, MSG_DONTWAIT, &status))
			return status;
		if (is_full && received == received_before && !wait_for_either(client->fd))
			return BURST_STALLED;
	}
	while (received < size)
		if (!receive_some(client, &received, 0, &status))
			return status;
	return BURST_OK;
}

/* Bytes that nobody sent: part of the stream was repeated. */
static size_t take_extra_bytes(int fd)
{
	char extra[EXTRA_BYTES];
	size_t total = 0;
	ssize_t count = 0;

	/* Bounded: what stays is thrown away with the connection. */
	while (total < BURST_SIZE_MAX && (count = recv(fd, extra, sizeof(extra), MSG_DONTWAIT)) > 0)
		total += (size_t)count;
	return total;
}

/* Nothing more is asked: what still comes before the end of the stream is extra.  A
 * path that carries no half-close ends by the limit. */
static size_t take_extra_bytes_to_end(int fd)
{
	uint64_t now = now_ns(), end_ns = now + (uint64_t)BURST_STALL_MS * NS_PER_MS;
	size_t total = 0;

	if (shutdown(fd, SHUT_WR) != 0)
		return 0;
	for (; now < end_ns && total < BURST_SIZE_MAX; now = now_ns()) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		char next;

		if (poll(&waiting, 1, (int)((end_ns - now) / NS_PER_MS) + 1) < 0 && errno == EINTR)
			continue;
		if (recv(fd, &next, 1, MSG_DONTWAIT | MSG_PEEK) <= 0)
			break;
		total += take_extra_bytes(fd);
	}
	return total;
}

/* The last block's repeat has no block after it that would show it. */
static void check_end(struct client *client)
{
	struct burst_run *run = client->run;
	size_t extra;

	if (client->fd < 0 || !client->options->is_verified)
		return;
	extra = take_extra_bytes_to_end(client->fd);
	run->extra_bytes += extra;
	run->failures[BURST_PATTERN] += extra > 0;
}

static enum burst_status check_block(struct client *client)
{
	struct burst_run *run = client->run;
	size_t first = 0, wrong, extra;

	if (!client->options->is_verified)
		return BURST_OK;
	wrong = burst_pattern_compare(client->sent, client->received, client->options->size, &first);
	if (wrong > 0 && run->wrong_bytes == 0)
		run->first_wrong_offset = first;
	run->wrong_bytes += wrong;
	extra = take_extra_bytes(client->fd);
	run->extra_bytes += extra;
	run->verified_bytes += client->options->size;
	return wrong > 0 || extra > 0 ? BURST_PATTERN : BURST_OK;
}

static struct burst_block measure_block(struct client *client)
{
	struct burst_block block = {.status = BURST_CONNECT};
	uint64_t start_ns, end_ns;

	if (client->fd >= 0 || open_connection(client)) {
		burst_pattern_fill(client->sent, client->options->size, client->position);
		client->position += client->options->size;
		start_ns = now_ns();
		block.status = exchange_block(client);
		end_ns = now_ns();
		if (block.status == BURST_OK)
			block.status = check_block(client);
		if (block.status == BURST_OK)
			block.latency_ns = end_ns - start_ns;
		check_busy_poll(client);
	}
	if (block.status != BURST_OK) {
		client->run->failures[block.status]++;
		fd_close(&client->fd);
	}
	return block;
}

static void measure_all(struct client *client)
{
	const struct burst_options *options = client->options;
	struct burst_run *run = client->run;
	uint64_t start_ns = now_ns(), end_ns;

	for (unsigned i = 0; i < options->warmup && burst_failures(run) < BURST_FAILURES_MAX; i++)
		(void)measure_block(client);
	start_ns = options->warmup > 0 ? now_ns() : start_ns;
	end_ns = options->seconds > 0 ? start_ns + (uint64_t)(options->seconds * NS_PER_S) : UINT64_MAX;
	while (run->done < options->count && burst_failures(run) < BURST_FAILURES_MAX && now_ns() < end_ns) {
		run->blocks[run->done++] = measure_block(client);
		if (options->gap_us > 0)
			pause_us(options->gap_us);
	}
	run->elapsed_s = (double)(now_ns() - start_ns) / NS_PER_S;
	run->has_given_up = burst_failures(run) >= BURST_FAILURES_MAX;
}

int burst_run(const struct burst_options *options, struct burst_run *ret_run)
{
	struct burst_run run = {0};
	struct client client = {.options = options, .run = &run, .fd = -1};
	int error = -ENOMEM;

	run.blocks = calloc(options->count, sizeof(*run.blocks));
	client.sent = malloc(options->size);
	client.received = calloc(1, options->size);
	if (run.blocks && client.sent && client.received) {
		measure_all(&client);
		check_end(&client);
		*ret_run = run;
		error = 0;
	} else {
		burst_run_release(&run);
	}
	fd_close(&client.fd);
	free(client.sent);
	free(client.received);
	return error;
}

void burst_run_release(struct burst_run *run)
{
	free(run->blocks);
	run->blocks = NULL;
}
