/* Every rule of the socket relay: kept, what it promises holds; taken out, the same case
 * fails.  So no rule is there without a case that needs it. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/status.h"
#include "bench/load/pattern.h"
#include "bpf/sockmap_far.h"
#include "bpf/sockmap_internal.h"
#include "lib_sockmap_rig.h"

enum {
	SKIPPED_MARK = '~', /* begins a case's answer when it cannot be tried here */
	PACKET_BYTES = 16000, /* one packet on loopback */
	PART_BYTES = 15001,
	UNREAD_BYTES = 100 << 20,
	MESSAGES = 500,
	WAITER_MS = 500,
	FEW_PACKETS = 32,
	HELD_MAX_BYTES = 64 << 20, /* all buffers on the way, at their largest, and some */
	TINY_MESSAGES = 4000,
	LEAVES_MIN = 20,
	LEAVES_KEPT_MS = 3000,
	LEAVES_OUT_MS = 30000,
};

#define TRY(call)                            \
	do {                                 \
		const char *wrong_ = (call); \
		if (wrong_ != NULL)          \
			return wrong_;       \
	} while (0)

typedef const char *rule_case(struct rig *rig);

/* More of it than the program can cut at once. */
static const char *a_packet_read_in_part(struct rig *rig)
{
	static uint8_t head[PACKET_BYTES];
	uint64_t deadline = clock_monotonic_ms() + RIG_WAIT_MS;
	TRY(rig_send(rig, rig->client, 0, PACKET_BYTES));
	while (recv(rig->source, head, PACKET_BYTES, MSG_PEEK) != PACKET_BYTES)
		if (clock_monotonic_ms() > deadline)
			return "no first bytes";
	if (recv(rig->source, head, PART_BYTES, 0) != PART_BYTES)
		return "not so many bytes";
	TRY(rig_send(rig, rig->target, 0, PART_BYTES));
	TRY(rig_enter(rig));
	TRY(rig_expect(rig, rig->server, 0, PACKET_BYTES));
	TRY(rig_send(rig, rig->client, PACKET_BYTES, PACKET_BYTES + 1000));
	return rig_expect(rig, rig->server, PACKET_BYTES, PACKET_BYTES + 1000);
}

/* What came before is read without losing the kernel's place in the stream. */
static const char *early_bytes(struct rig *rig)
{
	struct pollfd wait = {.fd = rig->source, .events = POLLIN};
	TRY(rig_send(rig, rig->client, 0, 100000));
	if (poll(&wait, 1, RIG_WAIT_MS) != 1 || line_enter(&rig->line) != 0)
		return "no first bytes";
	TRY(rig_expect(rig, rig->server, 0, 100000));
	line_leave(&rig->line, 0, false);
	TRY(rig_expect_state(rig, 0, LINE_OUT));
	TRY(rig_send(rig, rig->client, 100000, 101000));
	return rig_expect(rig, rig->server, 100000, 101000);
}

static const char *half_close(struct rig *rig)
{
	TRY(rig_enter(rig));
	TRY(rig_send(rig, rig->client, 0, 1000));
	TRY(rig_expect(rig, rig->server, 0, 1000));
	/* Now the end is a packet of its own. */
	shutdown(rig->client, SHUT_WR);
	TRY(rig_expect_end(rig, rig->server));
	TRY(rig_send(rig, rig->server, 0, 200000));
	shutdown(rig->server, SHUT_WR);
	TRY(rig_expect(rig, rig->client, 0, 200000));
	TRY(rig_expect_end(rig, rig->client));
	return line_is_over(&rig->line) && !rig->line.is_reset ? NULL : "it does not end in order";
}

/* Sends until nothing more is taken for a while; how much that was. */
static uint64_t fill(struct rig *rig, int fd)
{
	struct pattern pattern = pattern_unique(fd == rig->client ? RIG_TO_SERVER : RIG_TO_CLIENT);
	uint8_t bytes[16 << 10];
	uint64_t sent = 0, last_ms = clock_monotonic_ms();
	while (sent < HELD_MAX_BYTES && clock_monotonic_ms() < last_ms + 300) {
		pattern_fill(&pattern, sent, bytes, sizeof(bytes));
		ssize_t len = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		if (len > 0) {
			sent += (uint64_t)len;
			last_ms = clock_monotonic_ms();
		}
		line_step(&rig->line, len > 0 ? 0 : 10);
	}
	return sent;
}

static const char *a_server_that_never_reads(struct rig *rig)
{
	TRY(rig_enter(rig));
	struct sockmap_look look = {0};
	if (fill(rig, rig->client) >= HELD_MAX_BYTES)
		return "nothing holds the sender";
	if (sockmap_target_look(rig->table, 0, &look) != 0 || look.queue > FEW_PACKETS)
		return "packets wait for a target without room";
	return NULL;
}

/* Bytes that wait for user space are not overtaken. */
static const char *order_of_passed_and_redirected(struct rig *rig)
{
	struct pollfd wait = {.fd = rig->source, .events = POLLIN};
	if (sockmap_source_add(rig->table, 0, rig->source) != 0)
		return "the source cannot be entered";
	TRY(rig_send(rig, rig->client, 0, 100));
	if (poll(&wait, 1, RIG_WAIT_MS) != 1)
		return "no bytes are passed";
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_REDIRECT);
	TRY(rig_send(rig, rig->client, 100, 200));
	rig->line.ways[0].state = LINE_PASSING;
	return rig_expect(rig, rig->server, 0, 200);
}

/* The server pauses until bytes are passed, and then reads: all must come. */
static const char *a_reader_that_pauses(struct rig *rig)
{
	TRY(rig_enter(rig));
	uint64_t sent = fill(rig, rig->client);
	TRY(rig_expect(rig, rig->server, 0, sent));
	TRY(rig_send(rig, rig->client, sent, sent + 1000));
	return rig_expect(rig, rig->server, sent, sent + 1000);
}

/* Bytes for a server that has reset are not sent into the void. */
static const char *a_target_that_was_reset(struct rig *rig)
{
	struct linger now = {.l_onoff = 1};
	struct pollfd wait = {.fd = rig->target, .events = 0};
	struct sockmap_count count;
	TRY(rig_enter(rig));
	setsockopt(rig->server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	fd_close(&rig->server);
	if (poll(&wait, 1, RIG_WAIT_MS) != 1)
		return "no reset comes";
	TRY(rig_send(rig, rig->client, 0, 1000));
	wait = (struct pollfd){.fd = rig->source, .events = POLLIN};
	if (poll(&wait, 1, 200) != 1)
		return "bytes vanish";
	sockmap_direction_read(rig->table, 0, &count);
	return count.passed == 1000 && count.redirected == 0 && count.refusals[SOCKMAP_TARGET] == 1
		? NULL
		: "bytes are not passed";
}

/* What waits there for user space must not get company. */
static const char *a_target_that_passes(struct rig *rig)
{
	struct sockmap_count count;
	TRY(rig_enter(rig));
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_PASS);
	TRY(rig_send(rig, rig->server, 0, 1000));
	TRY(rig_expect(rig, rig->client, 0, 1000));
	sockmap_direction_read(rig->table, 1, &count);
	return count.redirected == 0 && count.refusals[SOCKMAP_WAY_BACK] != 0 ? NULL : "bytes go there";
}

/* The worker of the target waits meanwhile. */
static const char *many_tiny_packets(struct rig *rig)
{
	struct sockmap_look look = {0};
	TRY(rig_enter(rig));
	if (!rig_hold_processor(true))
		return "~no right to hold a processor";
	const char *wrong = rig_send(rig, rig->client, 0, 1);
	for (unsigned i = 1; i < TINY_MESSAGES && wrong == NULL; i++)
		wrong = rig_send(rig, rig->client, i, i + 1);
	if (wrong == NULL && sockmap_target_look(rig->table, 0, &look) != 0)
		wrong = "the target cannot be looked at";
	rig_hold_processor(false);
	TRY(wrong);
	if (look.queue > 1100)
		return "packets pile up";
	return rig_expect(rig, rig->server, 0, TINY_MESSAGES);
}

/* Leaving must wait for them: else the kernel counts them as not read, for ever. */
static const char *leaving_with_bytes_unread(struct rig *rig)
{
	const unsigned direction = 0;
	struct pollfd wait = {.fd = rig->source, .events = POLLIN};
	if (sockmap_source_add(rig->table, 0, rig->source) != 0)
		return "the source cannot be entered";
	TRY(rig_send(rig, rig->client, 0, 1000));
	if (poll(&wait, 1, RIG_WAIT_MS) != 1 || sockmap_leave(rig->table, &direction, 1) != 0)
		return "it leaves with bytes unread";
	rig->line.ways[0].state = LINE_PASSING;
	TRY(rig_expect(rig, rig->server, 0, 1000));
	line_leave(&rig->line, 0, false);
	TRY(rig_expect_state(rig, 0, LINE_OUT));
	TRY(rig_send(rig, rig->client, 1000, 2000));
	TRY(rig_expect(rig, rig->server, 1000, 2000));
	/* And comes back. */
	if (line_enter_way(&rig->line, 0) != 0)
		return "it cannot come back";
	TRY(rig_send(rig, rig->client, 2000, 3000));
	TRY(rig_expect(rig, rig->server, 2000, 3000));
	struct sockmap_count count;
	sockmap_direction_read(rig->table, 0, &count);
	return count.gaps == 0 && count.passed + count.redirected == 2000 ? NULL : "it counts wrongly";
}

/* The end comes while the target's worker waits. */
static const char *an_end_with_a_backlog(struct rig *rig)
{
	TRY(rig_enter(rig));
	if (!rig_hold_processor(true))
		return "~no right to hold a processor";
	const char *wrong = rig_send(rig, rig->client, 0, 30000);
	shutdown(rig->client, SHUT_WR);
	line_step(&rig->line, 0);
	rig_hold_processor(false);
	TRY(wrong);
	TRY(rig_expect(rig, rig->server, 0, 30000));
	return rig_expect_end(rig, rig->server);
}

/* Bytes for user space wait in the source's own queue behind those of the way back, and the
 * end is seen before them. */
static const char *an_end_before_passed_bytes(struct rig *rig)
{
	TRY(rig_enter(rig));
	if (!rig_hold_processor(true))
		return "~no right to hold a processor";
	const char *wrong = rig_send(rig, rig->server, 0, 30000);
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_PASS);
	rig->line.ways[0].state = LINE_PASSING;
	if (wrong == NULL)
		wrong = rig_send(rig, rig->client, 0, 1000);
	shutdown(rig->client, SHUT_WR);
	struct sockmap_count count;
	sockmap_direction_read(rig->table, 0, &count);
	line_step(&rig->line, 0);
	rig_hold_processor(false);
	TRY(wrong);
	if (count.behind == 0)
		return "~no packet waited behind others";
	TRY(rig_expect(rig, rig->server, 0, 1000));
	TRY(rig_expect_end(rig, rig->server));
	return rig_expect(rig, rig->client, 0, 30000);
}

static bool is_bad(const struct peer *peer)
{
	return __atomic_load_n(&peer->bad_at, __ATOMIC_ACQUIRE) != UINT64_MAX;
}

/* One way at full speed, which leaves and comes back. */
/* As if far more were unread than can be. */
static const char *bytes_that_pile_up_unread(struct rig *rig)
{
	struct sockmap_direction *entry = &rig->table->directions[0];
	TRY(rig_enter(rig));
	if (!rig_hold_processor(true))
		return "~no right to hold a processor";
	const char *wrong = rig_send(rig, rig->server, 0, 30000);
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_PASS);
	entry->count.passed += UNREAD_BYTES;
	if (wrong == NULL)
		wrong = rig_send(rig, rig->client, 0, 1000);
	uint32_t behind = entry->count.behind;
	rig_hold_processor(false);
	TRY(wrong);
	if (behind == 0)
		return "~no packet waited behind others";
	if (sockmap_direction_trouble(rig->table, 0) != SOCKMAP_STUCK)
		return "nothing is told";
	line_step(&rig->line, RIG_WAIT_MS);
	return rig->line.is_reset ? NULL : "no record comes";
}

static const char *many_leaves_under_traffic(struct rig *rig)
{
	struct peer peers[2] = {
		{.fd = rig->client, .seed_out = 1, .seed_in = 2, .sends = UINT64_MAX, .chunk_max = 300},
		{.fd = rig->server, .seed_out = 2, .seed_in = 1, .sends = 1, .waits_for_end = true}};
	bool is_kept = rig->line.rules_off == 0;
	uint64_t deadline = clock_monotonic_ms() + (is_kept ? LEAVES_KEPT_MS : LEAVES_OUT_MS);
	struct line_way *way = &rig->line.ways[0];
	unsigned left = 0;
	TRY(rig_enter(rig));
	peer_start(&peers[0]);
	peer_start(&peers[1]);
	while (clock_monotonic_ms() < deadline && !rig->line.is_reset && !is_bad(&peers[1])) {
		line_leave(&rig->line, 0, false);
		line_step(&rig->line, 1);
		if (way->state != LINE_OUT || way->is_entering)
			continue;
		if (line_enter_way(&rig->line, 0) != 0)
			break;
		left++;
	}
	struct sockmap_count count;
	bool has_lost = is_bad(&peers[1]) || rig->line.is_reset;
	for (unsigned i = 0; i < 2; i++)
		(void)peer_stop(&peers[i], 0);
	print_message("%u leaves of %u tries, %llu MB\n", left, way->leaves_tried,
		(unsigned long long)peers[1].received >> 20);
	sockmap_direction_read(rig->table, 0, &count);
	if (count.gaps != 0)
		return "the place in the stream is not taken up again";
	if (has_lost)
		return "bytes are lost";
	return left >= LEAVES_MIN ? NULL : "it hardly ever leaves";
}

struct waiter {
	struct rig *rig;
	bool is_stopped;
	long switches;
};

static void *wait_in_line(void *ctx)
{
	struct waiter *waiter = ctx;
	struct rusage before, after;
	getrusage(RUSAGE_THREAD, &before);
	while (!__atomic_load_n(&waiter->is_stopped, __ATOMIC_ACQUIRE))
		line_step(&waiter->rig->line, WAITER_MS);
	getrusage(RUSAGE_THREAD, &after);
	waiter->switches = after.ru_nvcsw - before.ru_nvcsw;
	return NULL;
}

static const char *messages_that_wake_nobody(struct rig *rig)
{
	struct waiter waiter = {.rig = rig};
	struct pollfd wait = {.fd = rig->server, .events = POLLIN};
	uint8_t message[64] = {0};
	pthread_t thread;
	const char *wrong = NULL;
	TRY(rig_enter(rig));
	assert_int_equal(pthread_create(&thread, NULL, wait_in_line, &waiter), 0);
	for (unsigned i = 0; i < MESSAGES && wrong == NULL; i++)
		if (send(rig->client, message, sizeof(message), 0) != sizeof(message) ||
			poll(&wait, 1, RIG_WAIT_MS) != 1 ||
			recv(rig->server, message, sizeof(message), 0) < 1)
			wrong = "a message is lost";
	__atomic_store_n(&waiter.is_stopped, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TRY(wrong);
	/* Without the rule a wake-up may serve several messages, when the machine is busy. */
	return waiter.switches < MESSAGES / 20 ? NULL : "user space wakes for messages";
}

static const struct {
	const char *name;
	rule_case *run;
	unsigned rule; /* enum sockmap_rule */
	unsigned line_rule; /* enum line_rule */
} rows[] = {
	{"a packet that was read in part is relayed once", a_packet_read_in_part, SOCKMAP_RULE_START, 0},
	{"a packet that was read in part is cut", a_packet_read_in_part, SOCKMAP_RULE_TRIM, 0},
	{"what came before is relayed", early_bytes, 0, LINE_RULE_PASS_FIRST},
	{"after an end the answer comes", half_close, SOCKMAP_RULE_EMPTY, 0},
	{"a slow reader holds the sender", a_server_that_never_reads, SOCKMAP_RULE_ROOM, 0},
	{"passed bytes are not overtaken", order_of_passed_and_redirected, SOCKMAP_RULE_STICKY, 0},
	{"passed bytes are heard of", a_reader_that_pauses, SOCKMAP_RULE_TELL, 0},
	{"a broken target gets nothing", a_target_that_was_reset, SOCKMAP_RULE_ALIVE, 0},
	{"a target that passes gets nothing", a_target_that_passes, SOCKMAP_RULE_WAY_BACK, 0},
	{"bytes that pile up are told", bytes_that_pile_up_unread, SOCKMAP_RULE_TELL, 0},
	{"the worker's queue is bounded", many_tiny_packets, SOCKMAP_RULE_QUEUE, 0},
	{"only a direction with nothing unread leaves", leaving_with_bytes_unread, SOCKMAP_RULE_READ, 0},
	{"an end waits for what is queued", an_end_with_a_backlog, 0, LINE_RULE_DRAIN},
	{"an end waits for what was passed", an_end_before_passed_bytes, 0, LINE_RULE_CAUGHT_UP},
	{"leaving loses nothing", many_leaves_under_traffic, 0, LINE_RULE_LOCK},
	{"redirecting wakes nobody", messages_that_wake_nobody, 0, LINE_RULE_QUIET},
};

/* "~..." is a reason to skip. */
static const char *run_row(size_t row, bool is_rule_out)
{
	static char answer[256];
	struct rig_options options = {0};
	struct rig rig;
	if (is_rule_out)
		options = (struct rig_options){rows[row].rule, rows[row].line_rule};
	const char *wrong = rig_open(&rig, &options);
	if (wrong == NULL)
		wrong = rows[row].run(&rig);
	snprintf(answer, sizeof(answer), "%s", wrong == NULL ? "" : wrong);
	rig_close(&rig);
	return wrong == NULL ? NULL : answer;
}

static void every_promise_holds(void **state)
{
	(void)state;
	rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const char *wrong = run_row(i, false);
		if (wrong != NULL && wrong[0] == SKIPPED_MARK)
			print_message("untried: %s: %s\n", rows[i].name, wrong + 1);
		else if (wrong != NULL)
			fail_msg("%s: %s", rows[i].name, wrong);
	}
}

/* What is lost without the lock is lost in an instant that slow programs do not meet. */
#ifdef __SANITIZE_THREAD__
static const bool can_race = false;
#else
static const bool can_race = true;
#endif

static void no_rule_can_be_spared(void **state)
{
	(void)state;
	rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const char *wrong = run_row(i, true);
		if (wrong == NULL && !can_race && rows[i].line_rule == LINE_RULE_LOCK)
			wrong = "~too slow to meet the moment";
		if (wrong == NULL)
			fail_msg("%s: nothing notices that the rule is out", rows[i].name);
		print_message("without \"%s\": %s\n", rows[i].name, wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_promise_holds),
		cmocka_unit_test(no_rule_can_be_spared),
	};
	return cmocka_run_group_tests(tests, rig_setup, NULL);
}
