/* Streams through the socket relay: every byte arrives once and in order, whatever the readers
 * and writers do, and what waits on the way has a bound. */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/status.h"
#include "bench/load/pattern.h"
#include "bpf/sockmap_internal.h"
#include "lib_sockmap_rig.h"

enum {
	MB = 1 << 20,
	TRANSFER_MS = 30000,
	HELD_MAX_MB = 64, /* all buffers on a way, at their largest, and some */
	NAIVE_MB = 300,
	QUIET_MS = 300,
	LEAVES_MS = 3000,
	LEAVES_MIN = 6,
	HUSH_AFTER = 10, /* tries to leave */
	FLOWS = 16,
	FLOW_BYTES = 3 * MB + 17,
};

static const struct rig_options plain;

struct transfer {
	const char *name;
	uint64_t bytes[2]; /* from the client, from the server */
	unsigned pause_permille[2];
	uint64_t chunk_max;
	int sndbuf, rcvbuf;
	bool is_answer; /* the server sends when the client has ended */
	bool is_v6;
};

static const struct transfer transfers[] = {
	{.name = "one way", .bytes = {200 * MB, 0}},
	{.name = "the other way", .bytes = {0, 100 * MB}},
	{.name = "both ways", .bytes = {100 * MB, 100 * MB}},
	{.name = "both ways with pauses", .bytes = {30 * MB, 30 * MB}, .pause_permille = {30, 30}},
	{.name = "a slow server", .bytes = {40 * MB, 1000}, .pause_permille = {0, 300}},
	{.name = "a slow client", .bytes = {1000, 40 * MB}, .pause_permille = {300, 0}},
	{.name = "small chunks", .bytes = {5 * MB, 5 * MB}, .pause_permille = {5, 5}, .chunk_max = 700},
	{.name = "small buffers",
		.bytes = {3 * MB, 3 * MB},
		.pause_permille = {5, 5},
		.sndbuf = 4096,
		.rcvbuf = 4096},
	{.name = "an answer after an end", .bytes = {10 * MB, 50 * MB}, .is_answer = true},
	{.name = "nothing at all", .bytes = {0, 0}},
	{.name = "IPv6", .bytes = {10 * MB, 10 * MB}, .pause_permille = {5, 5}, .is_v6 = true},
};

static const char *run_transfer(const struct transfer *transfer)
{
	struct rig rig;
	peer_set_buffers(transfer->sndbuf, transfer->rcvbuf);
	peer_set_v6(transfer->is_v6);
	const char *wrong = rig_open(&rig, &plain);
	peer_set_buffers(0, 0);
	peer_set_v6(false);
	struct peer peers[2] = {{.fd = rig.client, .seed_out = RIG_TO_SERVER, .seed_in = RIG_TO_CLIENT},
		{.fd = rig.server, .seed_out = RIG_TO_CLIENT, .seed_in = RIG_TO_SERVER}};
	for (unsigned i = 0; i < 2; i++) {
		peers[i].sends = transfer->bytes[i];
		peers[i].pause_permille = transfer->pause_permille[i];
		peers[i].chunk_max = transfer->chunk_max;
	}
	peers[1].waits_for_end = transfer->is_answer;
	if (wrong == NULL)
		wrong = rig_enter(&rig);
	if (wrong == NULL) {
		peer_start(&peers[0]);
		peer_start(&peers[1]);
		wrong = rig_transfer(&rig, peers, TRANSFER_MS);
	}
	for (unsigned i = 0; i < 2 && wrong == NULL; i++) {
		struct sockmap_count count;
		sockmap_direction_read(rig.table, i, &count);
		if (count.redirected + count.passed != transfer->bytes[i] || count.gaps != 0)
			wrong = "the counters are wrong";
	}
	rig_close(&rig);
	return wrong;
}

static void streams_arrive_whole(void **state)
{
	(void)state;
	rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(transfers); i++) {
		const char *wrong = run_transfer(&transfers[i]);
		if (wrong != NULL)
			fail_msg("%s: %s", transfers[i].name, wrong);
	}
}

static bool is_bad(const struct peer *peer)
{
	return __atomic_load_n(&peer->bad_at, __ATOMIC_ACQUIRE) != UINT64_MAX;
}

/* Both ways at full speed, and now one, now the other leaves and comes back. */
static void full_streams_move_between_engines(void **state)
{
	struct rig rig;
	unsigned left = 0, since = 0;
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	struct peer peers[2] = {{.fd = rig.client, .seed_out = 1, .seed_in = 2, .sends = UINT64_MAX},
		{.fd = rig.server, .seed_out = 2, .seed_in = 1, .sends = UINT64_MAX}};
	assert_null(rig_enter(&rig));
	peer_start(&peers[0]);
	peer_start(&peers[1]);
	uint64_t deadline = clock_monotonic_ms() + LEAVES_MS;
	while (clock_monotonic_ms() < deadline && !is_bad(&peers[0]) && !is_bad(&peers[1])) {
		struct line_way *way = &rig.line.ways[left & 1];
		line_leave(&rig.line, left & 1, since++ > HUSH_AFTER);
		line_step(&rig.line, 1);
		if (way->state == LINE_OUT && !way->is_entering) {
			assert_int_equal(line_enter_way(&rig.line, left & 1), 0);
			left++;
			since = 0;
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		bool is_wrong = is_bad(&peers[i]);
		(void)peer_stop(&peers[i], 0);
		assert_false(is_wrong);
		assert_int_equal(peers[i].error, 0);
		assert_true(peers[i].received > 0);
	}
	print_message("%u leaves, %llu MB\n", left,
		(unsigned long long)(peers[0].received + peers[1].received) / MB);
	assert_true(left >= LEAVES_MIN);
	assert_false(rig.line.is_reset);
	rig_close(&rig);
}

/* Fills a way that nobody reads until nothing more is taken; MB, and how many of memory. */
static unsigned fill(struct rig *rig, int fd, unsigned limit_mb, long *ret_memory_mb)
{
	static uint8_t bytes[64 << 10];
	uint64_t sent = 0, last_ms = clock_monotonic_ms(), before = memory_available_kb(), least = before;
	while (sent < (uint64_t)limit_mb * MB && clock_monotonic_ms() < last_ms + QUIET_MS) {
		ssize_t len = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		if (len > 0) {
			sent += (uint64_t)len;
			last_ms = clock_monotonic_ms();
		}
		if (len < 0) {
			uint64_t now = memory_available_kb();
			least = now < least ? now : least;
		}
		line_step(&rig->line, len > 0 ? 0 : 5);
	}
	uint64_t now = memory_available_kb();
	least = now < least ? now : least;
	*ret_memory_mb = (long)(before - least) / 1024;
	return (unsigned)(sent / MB);
}

/* Writes and never reads; and what the kernel alone would do. */
static void who_never_reads_is_held(void **state)
{
	static const struct rig_options naive = {.rules_off = SOCKMAP_RULE_ROOM | SOCKMAP_RULE_QUEUE};
	struct rig rig;
	long memory;
	(void)state;
	rig_need();
	for (unsigned i = 0; i < 2; i++) {
		assert_null(rig_open(&rig, &plain));
		assert_null(rig_enter(&rig));
		unsigned held = fill(&rig, i == 0 ? rig.client : rig.server, NAIVE_MB, &memory);
		print_message("%u MB taken, memory %ld MB", held, memory);
		/* And the way back, while the first is full. */
		held += fill(&rig, i == 0 ? rig.server : rig.client, NAIVE_MB, &memory);
		print_message("; both ways %u MB, memory %ld MB more\n", held, memory);
		rig_close(&rig);
		assert_true(held < 2 * HELD_MAX_MB);
	}
	assert_null(rig_open(&rig, &naive));
	assert_null(rig_enter(&rig));
	unsigned held = fill(&rig, rig.client, NAIVE_MB, &memory);
	print_message("without the rule: %u MB taken, memory %ld MB\n", held, memory);
	rig_close(&rig);
	assert_true(held >= NAIVE_MB);
}

/* The client ends while the answer waits for it; then it reads. */
static void an_end_passes_a_waiting_answer(void **state)
{
	struct rig rig;
	struct pollfd wait;
	uint64_t sent = 0;
	uint8_t bytes[4096];
	struct pattern pattern = pattern_unique(RIG_TO_CLIENT);
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	assert_null(rig_enter(&rig));
	for (uint64_t last_ms = clock_monotonic_ms(); clock_monotonic_ms() < last_ms + QUIET_MS;) {
		pattern_fill(&pattern, sent, bytes, sizeof(bytes));
		ssize_t len = send(rig.server, bytes, sizeof(bytes), MSG_NOSIGNAL);
		line_step(&rig.line, len > 0 ? 0 : 5);
		if (len > 0) {
			sent += (uint64_t)len;
			last_ms = clock_monotonic_ms();
		}
	}
	assert_null(rig_send(&rig, rig.client, 0, 500000));
	shutdown(rig.client, SHUT_WR);
	assert_null(rig_expect(&rig, rig.server, 0, 500000));
	assert_null(rig_expect_end(&rig, rig.server));
	shutdown(rig.server, SHUT_WR);
	wait = (struct pollfd){.fd = rig.client, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_null(rig_expect(&rig, rig.client, 0, sent));
	assert_null(rig_expect_end(&rig, rig.client));
	assert_true(line_is_over(&rig.line) && !rig.line.is_reset);
	rig_close(&rig);
}

/* Gives up with a reset, once data waits everywhere. */
static void reset(int *fd)
{
	struct linger now = {.l_onoff = 1};
	assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	fd_close(fd);
}

static void a_reset_reaches_the_other_side(void **state)
{
	(void)state;
	rig_need();
	for (unsigned i = 0; i < 4; i++) {
		struct rig rig;
		long memory;
		assert_null(rig_open(&rig, &plain));
		assert_null(rig_enter(&rig));
		bool is_client = i % 2 == 0, is_reader = i / 2 == 0;
		int *gone = is_client ? &rig.client : &rig.server, left = is_client ? rig.server : rig.client;
		/* Resets who sent it all, or who read nothing of it. */
		fill(&rig, is_reader ? left : *gone, 8, &memory);
		reset(gone);
		uint64_t deadline = clock_monotonic_ms() + RIG_WAIT_MS;
		ssize_t len = 0;
		uint8_t bytes[4096];
		while ((len >= 0 || errno == EAGAIN) && clock_monotonic_ms() < deadline) {
			line_step(&rig.line, 1);
			len = recv(left, bytes, sizeof(bytes), 0);
			if (len == 0)
				break;
		}
		assert_true(len < 0 && errno == ECONNRESET);
		assert_true(rig.line.is_reset);
		rig_close(&rig);
	}
}

struct flow {
	int fds[2];
	struct line line;
	struct peer peers[2];
};

static bool step_all(struct flow *flows)
{
	bool is_over = true;
	for (unsigned i = 0; i < FLOWS; i++) {
		line_step(&flows[i].line, 0);
		is_over &= line_is_over(&flows[i].line) && peer_is_done(&flows[i].peers[0]) &&
			peer_is_done(&flows[i].peers[1]);
	}
	/* All lines hear the table's descriptor; whatever happens wakes none of the others. */
	if (!is_over)
		(void)poll(NULL, 0, 1);
	return is_over;
}

static void many_flows_share_a_table(void **state)
{
	static struct flow flows[FLOWS];
	struct sockmap_table *table;
	char reason[SOCKMAP_REASON_MAX];
	(void)state;
	rig_need();
	assert_int_equal(sockmap_table_create(FLOWS, &table, reason), 0);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *flow = &flows[i];
		*flow = (struct flow){0};
		peer_connect(&flow->peers[0].fd, &flow->fds[0]);
		peer_connect(&flow->fds[1], &flow->peers[1].fd);
		assert_int_equal(line_open(&flow->line, table, i, flow->fds), 0);
		assert_int_equal(line_enter(&flow->line), 0);
		for (unsigned k = 0; k < 2; k++) {
			flow->peers[k].seed_out = 10 + 2 * i + k;
			flow->peers[k].seed_in = 10 + 2 * i + 1 - k;
			flow->peers[k].sends = FLOW_BYTES;
			flow->peers[k].pause_permille = i % 4 * 5;
			peer_start(&flow->peers[k]);
		}
	}
	uint64_t deadline = clock_monotonic_ms() + TRANSFER_MS;
	while (!step_all(flows) && clock_monotonic_ms() < deadline)
		continue;
	for (unsigned i = 0; i < FLOWS; i++) {
		for (unsigned k = 0; k < 2; k++) {
			const char *wrong = peer_stop(&flows[i].peers[k], FLOW_BYTES);
			if (wrong != NULL)
				fail_msg("flow %u: %s", i, wrong);
			close(flows[i].peers[k].fd);
		}
		line_close(&flows[i].line);
		close(flows[i].fds[0]);
		close(flows[i].fds[1]);
	}
	sockmap_table_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_arrive_whole),
		cmocka_unit_test(full_streams_move_between_engines),
		cmocka_unit_test(who_never_reads_is_held),
		cmocka_unit_test(an_end_passes_a_waiting_answer),
		cmocka_unit_test(a_reset_reaches_the_other_side),
		cmocka_unit_test(many_flows_share_a_table),
	};
	return cmocka_run_group_tests(tests, rig_setup, NULL);
}
