/* A line: its four sockets, and the moves that many cases share. */
#include "lib_line.h"
#include "lib_lab.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"

enum { SOCKET_BYTES = 128 * 1024, CHUNK_BYTES = 64 * 1024 };

static void option_set(int fd, int level, int name, int value)
{
	assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

static void buffers_set(int fd, uint32_t bytes)
{
	if (bytes == 0)
		return;
	option_set(fd, SOL_SOCKET, SO_SNDBUF, (int)bytes);
	option_set(fd, SOL_SOCKET, SO_RCVBUF, (int)bytes);
}

/* A socket there: far ends of a lab are on hosts of their own. */
static int socket_make(const struct rig *rig, enum lab_host host)
{
	if (rig->is_in_lab)
		lab_enter(host);
	int fd = socket(rig->family == FAMILY_TCP4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (rig->is_in_lab)
		lab_enter(LAB_PROXY);
	assert_true(fd >= 0);
	return fd;
}

/* The proxy accepts from clients and connects to servers. */
static void pair_connect_tcp(struct rig *rig, enum relay_side side, uint32_t socket_bytes, int *ret_fds)
{
	bool is_v4 = rig->family == FAMILY_TCP4;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	enum lab_host from = side == RELAY_CLIENT ? LAB_CLIENT : LAB_PROXY;
	enum lab_host to = side == RELAY_CLIENT ? LAB_PROXY : LAB_SERVER;
	FD_AUTO int listener = socket_make(rig, to);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	if (rig->is_in_lab)
		assert_int_equal(inet_pton(is_v4 ? AF_INET : AF_INET6, lab_address(to, from, is_v4),
					 is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr),
			1);
	buffers_set(listener, socket_bytes);
	if (is_v4)
		assert_int_equal(bind(listener, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else
		assert_int_equal(bind(listener, (struct sockaddr *)&v6, sizeof(v6)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ret_fds[0] = socket_make(rig, from);
	buffers_set(ret_fds[0], socket_bytes);
	assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&address, len), 0);
	ret_fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ret_fds[1] >= 0);
	for (unsigned i = 0; i < 2; i++) {
		option_set(ret_fds[i], IPPROTO_TCP, TCP_NODELAY, 1);
		option_set(ret_fds[i], SOL_SOCKET, SO_OOBINLINE, 1);
	}
}

/* Two connected sockets: the one that connected, and the accepted one. */
static void pair_connect(struct rig *rig, enum relay_side side, uint32_t socket_bytes, int *ret_fds)
{
	if (rig_is_tcp(rig)) {
		pair_connect_tcp(rig, side, socket_bytes, ret_fds);
	} else {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds), 0);
		for (unsigned i = 0; i < 2; i++)
			buffers_set(ret_fds[i], socket_bytes);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fd_set_nonblocking(ret_fds[i]), 0);
}

/* Only so that the loop wakes up. */
void line_on_far_ready(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
}

void line_connect(struct line *line, struct rig *rig, uint32_t socket_bytes)
{
	*line = (struct line){.rig = rig, .engines = {rig->engine, rig->engine}};
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct far *far = &line->far[side];
		int fds[2];

		pair_connect(rig, side, socket_bytes, fds);
		far->fd = fds[side == RELAY_CLIENT ? 0 : 1];
		line->near[side] = fds[side == RELAY_CLIENT ? 1 : 0];
		far->seed = hash_mix(2 * rig->random + side) | 1ULL << 63;
		far->watch.fd = -1;
		assert_int_equal(loop_watch_add(rig->loop, &far->watch, far->fd,
					 LOOP_READABLE | LOOP_WRITABLE, line_on_far_ready),
			0);
		line->relay.ends[side].watch.fd = -1;
	}
	(void)rig_random(rig, 2);
	list_add(&rig->lines, &line->node);
}

void line_start(struct line *line)
{
	struct relay_start_options options;

	line_start_options(line, &options);
	assert_int_equal(relay_start(&line->relay, &line->rig->worker, &options), 0);
	line->rig->lines_ever++;
}

void line_open(struct line *line, struct rig *rig)
{
	line_connect(line, rig, SOCKET_BYTES);
	line_start(line);
}

void line_stop(struct line *line)
{
	relay_sample(&line->relay);
	relay_stop(&line->relay);
	line->is_stopped = true;
	line_check_let_go(line);
	line_near_close(line, true);
	relay_stop(&line->relay);
}

void line_close(struct line *line)
{
	struct rig *rig = line->rig;

	line_stop(line);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		far_close(line, side);
		rig->bytes_total += line->relay.directions[side].bytes;
		rig->moves_total += line->relay.directions[side].moves;
	}
	list_remove(&line->node);
}

void line_print(const struct line *line)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		const struct far *far = &line->far[side];
		const struct relay_direction *direction = &line->relay.directions[side];

		print_error(
			"side %u: sent %llu, received %llu, end seen %d, reset seen %d; "
			"relayed %llu, held %u, engine %s, ended %d, may read %d, may write %d, error %d\n",
			side, (unsigned long long)far->sent, (unsigned long long)far->received,
			far->has_seen_end, far->has_seen_reset, (unsigned long long)direction->bytes,
			relay_held_bytes(&line->relay, side),
			direction->engine != NULL ? direction->engine->name : "none", direction->is_ended,
			direction->may_read, direction->may_write, line->relay.ends[side].error);
	}
	print_error("ends %u, outcome %d, seed %llu\n", line->ends, (int)line->outcome,
		(unsigned long long)line->far[RELAY_CLIENT].seed);
}

bool line_is_delivered(const struct line *line, enum relay_side side)
{
	uint64_t prefix = side == RELAY_SERVER ? line->prefix_bytes : 0;

	return line->far[side].received == line->far[relay_other(side)].sent + prefix;
}

void line_send(struct line *line, enum relay_side from, uint64_t len)
{
	while (len > 0) {
		size_t sent = far_write(line, from, len);

		len -= sent;
		if (sent == 0)
			rig_step(line->rig);
	}
}

uint64_t line_saturate(struct line *line, enum relay_side from)
{
	uint64_t before = line->far[from].sent;

	for (;;) {
		while (far_write(line, from, CHUNK_BYTES) > 0)
			rig_pass(line->rig, 0);
		rig_settle(line->rig);
		if (far_write(line, from, CHUNK_BYTES) == 0)
			return line->far[from].sent - before;
	}
}

void line_receive(struct line *line, enum relay_side side)
{
	while (!line_is_delivered(line, side)) {
		while (far_read(line, side, CHUNK_BYTES) > 0)
			continue;
		assert_false(line->far[side].has_seen_end && !line_is_delivered(line, side));
		rig_step(line->rig);
	}
}

void line_receive_end(struct line *line, enum relay_side side)
{
	line_receive(line, side);
	while (!line->far[side].has_seen_end) {
		assert_false(line->far[side].has_seen_reset);
		assert_int_equal(far_read(line, side, CHUNK_BYTES), 0);
		rig_step(line->rig);
	}
}

void line_await_end(struct line *line, enum relay_outcome outcome)
{
	while (line->ends == 0)
		rig_step(line->rig);
	assert_int_equal(line->outcome, outcome);
	rig_settle(line->rig);
	assert_int_equal(line->ends, 1);
}

void line_finish(struct line *line)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		if (!line->far[side].has_finished)
			far_finish(line, side);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		line_receive_end(line, side);
	line_await_end(line, RELAY_FINISHED);
	/* The first end is passed on; the second one ends the relay.  Who only sees packets may
	 * find both at once. */
	unsigned told = line->half_closes[RELAY_CLIENT] + line->half_closes[RELAY_SERVER];
	assert_true(told == 1 || (told == 0 && line->rig->is_in_lab));
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		/* The prefix is not the client's. */
		assert_int_equal(line->relay.directions[from].bytes, line->far[from].sent);
		assert_int_equal(line->relay.ends[from].error, 0);
	}
	assert_int_equal(line->relay.prefix_left, 0);
}

/* One side writes a little, reads a little, or does not. */
static void side_play(struct line *line, enum relay_side side, uint64_t total, unsigned chunk_bits)
{
	struct rig *rig = line->rig;
	struct far *far = &line->far[side];
	size_t len = rig_random_size(rig, chunk_bits);

	if (rig_random(rig, 4) != 0 && far->sent < total)
		(void)far_write(line, side, len < total - far->sent ? len : total - far->sent);
	if (rig_random(rig, 3) != 0)
		(void)far_read(line, side, rig_random_size(rig, chunk_bits + 1));
}

void line_exchange(struct line *const *lines, unsigned count, uint64_t total, unsigned chunk_bits)
{
	bool is_done = false;

	while (!is_done) {
		is_done = true;
		for (unsigned i = 0; i < RELAY_SIDES * count; i++) {
			struct line *line = lines[i / RELAY_SIDES];
			enum relay_side side = i % RELAY_SIDES;

			side_play(line, side, total, chunk_bits);
			if (line->far[side].sent < total || !line_is_delivered(line, relay_other(side)))
				is_done = false;
		}
		rig_step(lines[0]->rig);
	}
}
