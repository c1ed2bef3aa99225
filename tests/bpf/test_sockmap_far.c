/* Segments that no well-behaved sender sends: overlapping, repeated, out of order.  Behind a TUN
 * a far host crafts them; what the server gets must be the stream, byte for byte. */

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/status.h"
#include "bench/load/pattern.h"
#include "bpf/sockmap_far.h"
#include "lib_sockmap_rig.h"

enum {
	STREAM_MAX = 100000,
	WINDOW = 12000, /* how far ahead the far host sends */
	BEHIND = 3000, /* how far back it repeats */
	SEEDS = 12,
	LIMIT_MS = 5000,
};

struct span {
	unsigned from, to;
};

static struct sockmap_far far;
static uint8_t stream[STREAM_MAX];
static uint32_t our_address;
static int listener = -1;
static uint16_t listener_port;
static const char *far_hindrance;

static int setup(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	struct pattern pattern = pattern_unique(RIG_TO_SERVER);
	rig_setup(state);
	pattern_setup();
	pattern_fill(&pattern, 0, stream, sizeof(stream));
	if (sockmap_far_open(&far, &our_address) != 0) {
		far_hindrance = "no TUN interface";
		return 0;
	}
	at.sin_addr.s_addr = our_address;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&at, len) != 0 || listen(listener, 8) != 0 ||
		getsockname(listener, (struct sockaddr *)&at, &len) != 0)
		far_hindrance = "no listening socket";
	listener_port = ntohs(at.sin_port);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_close(&listener);
	sockmap_far_close(&far);
	return 0;
}

static void need(void)
{
	rig_need();
	if (far_hindrance == NULL)
		return;
	print_message("skipped: %s\n", far_hindrance);
	skip();
}

static const char *open_far(struct rig *rig, unsigned rules_off)
{
	struct rig_options options = {.rules_off = rules_off};
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	*rig = (struct rig){.client = -1, .source = -1, .target = -1, .server = -1};
	if (sockmap_far_connect(&far, listener_port) != 0 || poll(&wait, 1, RIG_WAIT_MS) != 1)
		return "the far host cannot connect";
	return rig_open_source(rig, &options, accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/* Takes in what the far host has been sent. */
static unsigned acked(void)
{
	(void)!sockmap_far_await(&far, UINT_MAX, 0);
	return far.acked;
}

static const char *send_span(struct rig *rig, struct span span)
{
	if (sockmap_far_send(&far, stream, span.from, span.to, 0) != 0)
		return "a segment cannot be sent";
	line_step(&rig->line, 0);
	return NULL;
}

struct shape {
	const char *name;
	struct span spans[8];
};

/* Of 36 bytes. */
static const struct shape shapes[] = {
	{"in order", {{0, 10}, {10, 20}, {20, 36}}},
	{"overlapping", {{0, 10}, {5, 20}, {10, 36}}},
	{"out of order", {{5, 20}, {0, 10}, {20, 36}}},
	{"repeated", {{0, 10}, {0, 10}, {10, 36}, {10, 36}}},
	{"all again", {{0, 10}, {10, 20}, {0, 20}, {0, 36}}},
	{"one byte new", {{0, 10}, {0, 11}, {1, 12}, {2, 13}, {0, 36}}},
	{"backwards", {{30, 36}, {20, 32}, {10, 25}, {5, 12}, {0, 7}}},
	{"across a hole", {{0, 10}, {20, 30}, {5, 25}, {15, 36}}},
};

static const char *run_shape(const struct shape *shape, bool is_redirecting, unsigned rules_off)
{
	struct rig rig;
	const char *wrong = open_far(&rig, rules_off);
	if (wrong == NULL && is_redirecting)
		wrong = rig_enter(&rig);
	else if (wrong == NULL && sockmap_source_add(rig.table, 0, rig.source) == 0)
		rig.line.ways[0].state = LINE_PASSING;
	for (unsigned i = 0; wrong == NULL && shape->spans[i].to != 0; i++)
		wrong = send_span(&rig, shape->spans[i]);
	if (wrong == NULL && sockmap_far_await(&far, 36, RIG_WAIT_MS) != 0)
		wrong = "the segments are not taken";
	if (wrong == NULL)
		wrong = rig_expect(&rig, rig.server, 0, 36);
	if (wrong == NULL && sockmap_far_send(&far, stream, 36, 36, SOCKMAP_FAR_FIN) == 0)
		wrong = rig_expect_end(&rig, rig.server);
	(void)!sockmap_far_send(&far, stream, 37, 37, SOCKMAP_FAR_RST);
	rig_close(&rig);
	return wrong;
}

static void every_shape_arrives_as_it_was_meant(void **state)
{
	(void)state;
	need();
	for (size_t i = 0; i < 2 * ARRAY_LENGTH(shapes); i++) {
		const char *wrong = run_shape(&shapes[i / 2], i % 2 == 0, 0);
		if (wrong != NULL)
			fail_msg("%s, %s: %s", shapes[i / 2].name, i % 2 == 0 ? "redirected" : "passed",
				wrong);
	}
}

static void without_cutting_they_do_not(void **state)
{
	unsigned caught = 0;
	(void)state;
	need();
	for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
		caught += run_shape(&shapes[i], true, SOCKMAP_RULE_TRIM) != NULL;
	/* All but those where no byte that has been relayed comes with one that has not. */
	assert_int_equal(caught, ARRAY_LENGTH(shapes) - 2);
}

/* A segment around what has been acknowledged, most often before it. */
static struct span random_span(struct rig *rig, unsigned done, unsigned end)
{
	unsigned back = (unsigned)random() % BEHIND, ahead = (unsigned)random() % WINDOW;
	unsigned from = random() % 3 == 0 ? done + ahead : done - (back < done ? back : done);
	unsigned len = 1 + (unsigned)random() % SOCKMAP_FAR_BYTES_MAX;
	(void)rig;
	from = from < end ? from : end - 1;
	return (struct span){from, from + len < end ? from + len : end};
}

/* Sends like that until all is acknowledged, while the server reads. */
static const char *send_randomly(struct rig *rig, unsigned end)
{
	uint64_t deadline = clock_monotonic_ms() + LIMIT_MS;
	unsigned done = 0, read = 0;
	while (done < end) {
		const char *wrong = send_span(rig, random_span(rig, done, end));
		unsigned now = acked();
		if (wrong != NULL || clock_monotonic_ms() > deadline)
			return wrong != NULL ? wrong : "the segments are not taken";
		done = now;
		/* Now and then the server pauses, so that some is passed. */
		if (random() % 40 == 0) {
			wrong = rig_expect(rig, rig->server, read, done);
			read = done;
		}
		if (wrong != NULL)
			return wrong;
	}
	return rig_expect(rig, rig->server, read, end);
}

static void random_segments_arrive_as_one_stream(void **state)
{
	(void)state;
	need();
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct rig rig;
		struct sockmap_count count = {0};
		srandom(seed);
		const char *wrong = open_far(&rig, 0);
		if (wrong == NULL)
			wrong = rig_enter(&rig);
		if (wrong == NULL)
			wrong = send_randomly(&rig, STREAM_MAX);
		if (wrong == NULL)
			sockmap_direction_read(rig.table, 0, &count);
		(void)!sockmap_far_send(&far, stream, far.acked, far.acked, SOCKMAP_FAR_RST);
		rig_close(&rig);
		if (wrong != NULL)
			fail_msg("seed %u: %s", seed, wrong);
		assert_int_equal(count.redirected + count.passed, STREAM_MAX);
		assert_true(count.trims > 0);
		assert_int_equal(count.gaps, 0);
	}
}

/* What the far host sent before its reset is delivered, and then the server is reset too. */
static void a_reset_comes_after_what_was_sent_before(void **state)
{
	struct rig rig;
	(void)state;
	need();
	assert_null(open_far(&rig, 0));
	assert_null(rig_enter(&rig));
	for (unsigned at = 0; at < 10000; at += 1000)
		assert_null(send_span(&rig, (struct span){at, at + 1000}));
	assert_int_equal(sockmap_far_send(&far, stream, 10000, 10000, SOCKMAP_FAR_RST), 0);
	assert_null(rig_expect(&rig, rig.server, 0, 10000));
	assert_string_equal(rig_expect_end(&rig, rig.server), strerror(ECONNRESET));
	assert_true(rig.line.is_reset);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_arrives_as_it_was_meant),
		cmocka_unit_test(without_cutting_they_do_not),
		cmocka_unit_test(random_segments_arrive_as_one_stream),
		cmocka_unit_test(a_reset_comes_after_what_was_sent_before),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
