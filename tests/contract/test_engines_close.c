/* The engines' contract, second part: how a relay ends, and that no end overtakes
 * the bytes before it. */
#include "lib_cases.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/status.h"

enum { KIB = 1024 };

/* Half-closes. */

/* `side` ends while the bytes to it are stuck. */
static void end_with_other_way_full(struct rig *rig, enum relay_side side, uint64_t last_bytes)
{
	enum relay_side other = relay_other(side);
	struct line line;

	line_open(&line, rig);
	(void)line_saturate(&line, other);
	line_send(&line, side, last_bytes);
	far_finish(&line, side);
	line_receive_end(&line, other);
	rig_settle(rig);
	assert_int_equal(line.half_closes[side], 1);
	assert_int_equal(line.half_closes[other], 0);
	assert_int_equal(line.ends, 0);
	assert_true(relay_held_bytes(&line.relay, other) > 0);
	/* The other way goes on as if nothing had happened. */
	line_receive(&line, side);
	line_send(&line, other, 200 * KIB);
	line_finish(&line);
	assert_int_equal(line.half_closes[other], 0);
	line_close(&line);
}

static void half_close_first(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		end_with_other_way_full(rig, side, 0);
		end_with_other_way_full(rig, side, 1);
		end_with_other_way_full(rig, side, 100 * KIB);
	}
}

/* The end waits behind bytes that are stuck. */
static void half_close_waits(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, side);
		far_finish(&line, side);
		rig_settle(rig);
		assert_int_equal(line.half_closes[side], 0);
		line_send(&line, relay_other(side), 1000);
		line_receive(&line, side);
		line_receive_end(&line, relay_other(side));
		assert_int_equal(line.half_closes[side], 1);
		line_send(&line, relay_other(side), 300 * KIB);
		line_finish(&line);
		line_close(&line);
	}
}

static void both_half_close(struct rig *rig)
{
	static const uint64_t sizes[][RELAY_SIDES] = {{0, 0}, {1, 0}, {0, 30 * KIB}, {70 * KIB, 70 * KIB}};

	for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct line line;

		line_open(&line, rig);
		rig_settle(rig);
		for (unsigned side = 0; side < RELAY_SIDES; side++) {
			line_send(&line, side, sizes[i][side]);
			far_finish(&line, side);
		}
		line_finish(&line);
		line_close(&line);
	}
}

static void both_half_close_full(struct rig *rig)
{
	struct line line;

	line_open(&line, rig);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		(void)line_saturate(&line, side);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		assert_true(relay_held_bytes(&line.relay, side) > 0);
		far_finish(&line, side);
	}
	rig_settle(rig);
	assert_int_equal(line.half_closes[RELAY_CLIENT] + line.half_closes[RELAY_SERVER], 0);
	line_finish(&line);
	line_close(&line);
}

static void stop_when_half_closed(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, relay_other(side));
		line.stops_on_half_close = true;
		line_send(&line, side, 100);
		far_finish(&line, side);
		while (line.half_closes[side] == 0)
			rig_step(rig);
		assert_true(line.is_stopped);
		rig_settle(rig);
		line_close(&line);
	}
}

/* Resets. */

/* What `side` surely got rid of before its reset has arrived at the other side. */
static void receive_acknowledged(struct line *line, enum relay_side side)
{
	struct far *reader = &line->far[relay_other(side)];
	uint64_t owed = line->far[side].acknowledged + (side == RELAY_CLIENT ? line->prefix_bytes : 0);

	while (reader->received < owed) {
		if (far_read(line, relay_other(side), 64 * KIB) == 0)
			rig_step(line->rig);
		assert_false(reader->has_seen_end && reader->received < owed);
	}
}

static void broken_check(struct line *line, enum relay_side side)
{
	line_await_end(line, RELAY_BROKEN);
	assert_int_equal(line->broken_side, side);
	assert_true(line->relay.ends[side].error != 0);
	assert_int_equal(line->relay.ends[relay_other(side)].error, 0);
	assert_int_equal(line->half_closes[side], 0);
	/* The owner keeps the sockets for a while; nobody watches them. */
	(void)far_write(line, relay_other(side), 10);
	rig_settle(line->rig);
}

/* The reset itself cannot be seen on unix sockets unless bytes were unread. */
static void reset_check(struct line *line, enum relay_side side)
{
	struct rig *rig = line->rig;

	receive_acknowledged(line, side);
	if (rig_is_tcp(rig)) {
		broken_check(line, side);
		return;
	}
	while (line->ends == 0 && line->half_closes[side] == 0)
		rig_step(rig);
	if (line->ends == 0)
		far_finish(line, relay_other(side));
	while (line->ends == 0)
		rig_step(rig);
}

static void reset_mid_stream(struct rig *rig)
{
	static const uint64_t sizes[] = {0, 1, 5000, 300 * KIB};

	for (unsigned i = 0; i < RELAY_SIDES * ARRAY_LENGTH(sizes); i++) {
		enum relay_side side = i % RELAY_SIDES;
		uint64_t size = sizes[i / RELAY_SIDES];
		struct line line;

		line_open(&line, rig);
		line_send(&line, relay_other(side), 100);
		line_receive(&line, side);
		while (line.far[side].sent < size) {
			(void)far_write(&line, side, size - line.far[side].sent);
			(void)far_read(&line, relay_other(side), 50000);
			rig_step(rig);
		}
		/* The last bytes and the reset are news of one pass. */
		(void)far_write(&line, side, 40000);
		far_reset(&line, side);
		reset_check(&line, side);
		line_close(&line);
	}
}

/* What the side sent cannot go out yet; then it can. */
static void reset_behind_held_bytes(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, side);
		assert_true(relay_held_bytes(&line.relay, side) > 0);
		far_reset(&line, side);
		assert_true(line.far[side].acknowledged > line.relay.directions[side].bytes);
		rig_settle(rig);
		assert_int_equal(line.ends, 0);
		/* A closed unix socket has only ended. */
		if (rig_is_tcp(rig))
			assert_int_equal(line.failures[side], 1);
		reset_check(&line, side);
		line_close(&line);
	}
}

/* The side that the held bytes are for goes away. */
static void reset_of_the_reader(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, relay_other(side));
		assert_true(relay_held_bytes(&line.relay, relay_other(side)) > 0);
		line_send(&line, side, 50 * KIB);
		far_reset(&line, side);
		/* A unix socket tells that its bytes were not read. */
		receive_acknowledged(&line, side);
		broken_check(&line, side);
		line_close(&line);
	}
}

/* Both ways are stuck when one side goes: its own bytes still come out. */
static void reset_with_both_ways_full(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		for (unsigned from = 0; from < RELAY_SIDES; from++)
			(void)line_saturate(&line, from);
		far_reset(&line, side);
		rig_settle(rig);
		/* What was held for it is thrown away at once. */
		assert_int_equal(relay_held_bytes(&line.relay, relay_other(side)), 0);
		assert_true(line.relay.directions[relay_other(side)].is_ended);
		assert_true(relay_held_bytes(&line.relay, side) > 0);
		assert_int_equal(line.ends, 0);
		receive_acknowledged(&line, side);
		broken_check(&line, side);
		line_close(&line);
	}
}

/* While what one side sent is still stuck, the other side goes as well. */
static void resets_one_after_the_other(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		for (unsigned from = 0; from < RELAY_SIDES; from++)
			(void)line_saturate(&line, from);
		far_reset(&line, side);
		rig_settle(rig);
		assert_int_equal(line.ends, 0);
		far_reset(&line, relay_other(side));
		line_await_end(&line, RELAY_BROKEN);
		line_close(&line);
	}
}

static void both_reset(struct rig *rig)
{
	for (unsigned is_full = 0; is_full < 2; is_full++) {
		struct line line;

		line_open(&line, rig);
		for (unsigned from = 0; from < RELAY_SIDES && is_full; from++)
			(void)line_saturate(&line, from);
		line_send(&line, RELAY_CLIENT, is_full ? 0 : 2000);
		line_send(&line, RELAY_SERVER, is_full ? 0 : 1);
		for (unsigned side = 0; side < RELAY_SIDES; side++)
			far_reset(&line, side);
		while (line.ends == 0)
			rig_step(rig);
		assert_true(line.outcome == RELAY_BROKEN);
		rig_settle(rig);
		line_close(&line);
	}
}

/* A side's end was passed on; then it breaks off. */
static void reset_after_half_close(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		(void)line_saturate(&line, relay_other(side));
		line_send(&line, side, 100);
		far_finish(&line, side);
		line_receive_end(&line, relay_other(side));
		assert_int_equal(line.half_closes[side], 1);
		far_reset(&line, side);
		line_await_end(&line, RELAY_BROKEN);
		assert_int_equal(line.broken_side, side);
		line_close(&line);
	}
}

/* The other side was half-closed; it breaks off while it still answers. */
static void reset_of_the_answering_side(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		far_finish(&line, relay_other(side));
		line_receive_end(&line, side);
		line_send(&line, side, 60 * KIB);
		rig_settle(rig);
		far_reset(&line, side);
		receive_acknowledged(&line, side);
		/* An end on a unix socket is in order, and the second one. */
		if (rig_is_tcp(rig)) {
			line_await_end(&line, RELAY_BROKEN);
			assert_int_equal(line.broken_side, side);
		} else {
			line_await_end(&line, RELAY_FINISHED);
		}
		line_close(&line);
	}
}

/* close(2) looks like a half-close until something is sent to it. */
static void close_and_more_to_come(struct rig *rig)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct line line;

		line_open(&line, rig);
		line_send(&line, side, 3000);
		far_close(&line, side);
		line_receive_end(&line, relay_other(side));
		assert_int_equal(line.half_closes[side], 1);
		assert_int_equal(line.ends, 0);
		while (line.ends == 0) {
			(void)far_write(&line, relay_other(side), 1000);
			rig_step(rig);
		}
		line_await_end(&line, RELAY_BROKEN);
		assert_int_equal(line.broken_side, side);
		line_close(&line);
	}
}

/* Gone before the start. */

static void ended_before_start(struct rig *rig)
{
	for (unsigned i = 0; i < RELAY_SIDES * 2 * 2; i++) {
		enum relay_side side = i % RELAY_SIDES;
		uint64_t size = i / RELAY_SIDES % 2 * 20 * KIB;
		struct line line;

		line_connect(&line, rig, 0);
		line.prefix_bytes = i / RELAY_SIDES / 2 * 300;
		line_send(&line, side, size);
		far_finish(&line, side);
		line_start(&line);
		line_receive_end(&line, relay_other(side));
		line_send(&line, relay_other(side), 10 * KIB);
		line_finish(&line);
		line_close(&line);
	}
}

static void both_ended_before_start(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 0);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		line_send(&line, side, 5000);
		far_finish(&line, side);
	}
	line_start(&line);
	line_finish(&line);
	line_close(&line);
}

static void reset_before_start(struct rig *rig)
{
	for (unsigned i = 0; i < RELAY_SIDES * 2 * 2; i++) {
		enum relay_side side = i % RELAY_SIDES;
		struct line line;

		line_connect(&line, rig, 0);
		line.prefix_bytes = i / RELAY_SIDES / 2 * 300;
		line_send(&line, side, i / RELAY_SIDES % 2 * 20 * KIB);
		far_reset(&line, side);
		line_start(&line);
		/* A server that is gone cannot take the prefix. */
		if (!rig_is_tcp(rig) && side == RELAY_SERVER && line.prefix_bytes > 0) {
			receive_acknowledged(&line, side);
			broken_check(&line, side);
		} else {
			reset_check(&line, side);
		}
		line_close(&line);
	}
}

static void both_reset_before_start(struct rig *rig)
{
	struct line line;

	line_connect(&line, rig, 0);
	line_send(&line, RELAY_CLIENT, 100);
	for (unsigned side = 0; side < RELAY_SIDES; side++)
		far_reset(&line, side);
	line_start(&line);
	while (line.ends == 0)
		rig_step(rig);
	assert_true(line.outcome == RELAY_BROKEN);
	line_close(&line);
}

/* A server that does not answer before the test wants it to: its queue is full. */
struct late_server {
	struct sockaddr_storage address;
	socklen_t len;
	int listener, filler;
};

static void late_server_open(struct late_server *late, const struct rig *rig)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool is_v4 = rig->family == FAMILY_TCP4;
	int family = is_v4 ? AF_INET : AF_INET6;

	late->len = sizeof(late->address);
	late->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	late->filler = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (is_v4)
		assert_int_equal(bind(late->listener, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else
		assert_int_equal(bind(late->listener, (struct sockaddr *)&v6, sizeof(v6)), 0);
	assert_int_equal(listen(late->listener, 0), 0);
	assert_int_equal(getsockname(late->listener, (struct sockaddr *)&late->address, &late->len), 0);
	assert_int_equal(connect(late->filler, (struct sockaddr *)&late->address, late->len), 0);
}

/* The line's server is from now on one that connects with the first bytes. */
static void server_fast_open(struct line *line, const struct late_server *late)
{
	struct far *far = &line->far[RELAY_SERVER];
	int on = 1, *near = &line->near[RELAY_SERVER];

	loop_watch_remove(line->rig->loop, &far->watch, false);
	close(far->fd);
	close(*near);
	far->fd = -1;
	*near = socket(late->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(setsockopt(*near, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(*near, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof(on)), 0);
	assert_int_equal(connect(*near, (const struct sockaddr *)&late->address, late->len), 0);
}

static void late_server_accept(struct late_server *late, struct line *line)
{
	struct far *far = &line->far[RELAY_SERVER];

	close(accept(late->listener, NULL, NULL));
	while (far->fd < 0) {
		rig_pass(line->rig, 1);
		far->fd = accept4(late->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	assert_int_equal(loop_watch_add(line->rig->loop, &far->watch, far->fd, LOOP_READABLE | LOOP_WRITABLE,
				 line_on_far_ready),
		0);
	close(late->filler);
	close(late->listener);
}

/* shutdown(2) of a socket that still connects would disconnect it. */
static void end_while_connecting(struct rig *rig)
{
	struct relay_start_options options;
	struct late_server late;
	struct line line;

	late_server_open(&late, rig);
	line_connect(&line, rig, 0);
	server_fast_open(&line, &late);
	line_start_options(&line, &options);
	options.is_fast_open[RELAY_SERVER] = true;
	line_send(&line, RELAY_CLIENT, 300);
	far_finish(&line, RELAY_CLIENT);
	assert_int_equal(relay_start(&line.relay, &rig->worker, &options), 0);
	rig->lines_ever++;
	rig_settle(rig);
	assert_int_equal(line.half_closes[RELAY_CLIENT] + line.ends, 0);
	assert_int_equal(fcntl(late.listener, F_SETFL, O_NONBLOCK), 0);
	late_server_accept(&late, &line);
	line_receive_end(&line, RELAY_SERVER);
	assert_int_equal(line.half_closes[RELAY_CLIENT], 1);
	line_send(&line, RELAY_SERVER, 300);
	line_finish(&line);
	line_close(&line);
}

static const struct engine_case cases[] = {
	{"an end is passed on while the other way is full", half_close_first, NULL, 0},
	{"an end waits behind bytes that are stuck", half_close_waits, NULL, 0},
	{"both sides may end at once", both_half_close, NULL, CASE_PACKETS_TOO},
	{"both sides may end at once with both ways full", both_half_close_full, NULL, 0},
	{"the owner may stop the relay when told of a half-close", stop_when_half_closed, NULL, 0},
	{"bytes before a reset arrive, then the relay is broken", reset_mid_stream, NULL, CASE_PACKETS_TOO},
	{"bytes held at a reset of their sender still arrive", reset_behind_held_bytes, NULL, 0},
	{"a reset of the reader throws away what is held for it", reset_of_the_reader, NULL, 0},
	{"a reset with both ways full lets its own bytes out", reset_with_both_ways_full, NULL, 0},
	{"the second side may break off during the first one's end", resets_one_after_the_other, NULL, 0},
	{"both sides may break off at once", both_reset, NULL, CASE_PACKETS_TOO},
	{"a side may break off after its end", reset_after_half_close, NULL, CASE_TCP_ONLY},
	{"a side may break off while it answers", reset_of_the_answering_side, NULL, CASE_PACKETS_TOO},
	{"what is sent to a closed side breaks the relay", close_and_more_to_come, NULL, CASE_PACKETS_TOO},
	{"a side may have ended before the start", ended_before_start, NULL, CASE_PACKETS_TOO},
	{"both sides may have ended before the start", both_ended_before_start, NULL, 0},
	{"a side may have broken off before the start", reset_before_start, NULL, CASE_PACKETS_TOO},
	{"both sides may have broken off before the start", both_reset_before_start, NULL, 0},
	{"an end waits for a server that still connects", end_while_connecting, NULL,
		CASE_TCP_ONLY | CASE_PACKETS_TOO},
};

int main(void)
{
	return engine_cases_run("engines: ends", cases, ARRAY_LENGTH(cases));
}
