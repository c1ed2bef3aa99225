/* The tables of the socket relay, the trial at start, and which kernels it is for. */

#include <errno.h>
#include <netinet/in.h>
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
#include "bpf/sockmap_internal.h"
#include "lib_sockmap_rig.h"

enum { SELFTEST_MAX_MS = 1000, MANY = 400, REUSES = 60, LEAVING = 8 };

static void kernels_are_known_by_their_release(void **state)
{
	static const struct {
		const char *release, *version;
		bool is_fit;
	} cases[] = {
		{"6.18.44", "#1 SMP", true},
		{"6.16.0", "#1 SMP", true},
		{"6.16.0-rc1", "#1 SMP", true},
		{"7.0.0", "#1 SMP", true},
		{"6.15.11", "#1 SMP", false},
		{"6.12.35", "#1 SMP", true},
		{"6.12.34", "#1 SMP", false},
		{"6.12.107+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-01-02)", true},
		{"6.1.147", "#1 SMP", true},
		{"6.1.146", "#1 SMP", false},
		{"6.1.0-38-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.147-1 (2025-08-02)", true},
		{"6.1.0-37-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)", false},
		{"6.6.200", "#1 SMP", false},
		{"5.15.190", "#1 SMP", false},
		{"5.10", "#1 SMP", false},
		{"", "", false},
		{"six", "Debian of old", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		if (sockmap_kernel_is_fit(cases[i].release, cases[i].version) != cases[i].is_fit)
			fail_msg("%s (%s)", cases[i].release, cases[i].version);
}

static unsigned count_descriptors(void)
{
	unsigned count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += write(fd, NULL, 0) == 0 || errno != EBADF;
	return count;
}

static void the_trial_is_quick_and_leaves_nothing(void **state)
{
	char words[SOCKMAP_REASON_MAX];
	(void)state;
	rig_need();
	unsigned before = count_descriptors();
	uint64_t start = clock_monotonic_ms();
	if (sockmap_selftest(words) != 0)
		fail_msg("%s", words);
	print_message("%s: %llu ms\n", words, (unsigned long long)(clock_monotonic_ms() - start));
	assert_true(clock_monotonic_ms() - start < SELFTEST_MAX_MS);
	assert_int_equal(count_descriptors(), before);
}

/* What a kernel that does these things wrongly would look like. */
static void the_trial_finds_what_is_broken(void **state)
{
	static const unsigned rules[] = {SOCKMAP_RULE_TRIM, SOCKMAP_RULE_START, SOCKMAP_RULE_EMPTY};
	char words[SOCKMAP_REASON_MAX];
	(void)state;
	rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
		assert_int_equal(sockmap_selftest_without(rules[i], words), -EOPNOTSUPP);
		print_message("without rule %u: %s\n", rules[i], words);
	}
}

static void a_pair_is_entered_once_and_taken_out(void **state)
{
	struct sockmap_table *table;
	char reason[SOCKMAP_REASON_MAX];
	int a[2], b[2];
	(void)state;
	rig_need();
	assert_int_equal(sockmap_table_create(2, &table, reason), 0);
	assert_int_equal(sockmap_table_pairs_max(table), 2);
	peer_connect(&a[0], &a[1]);
	peer_connect(&b[0], &b[1]);
	const int fds[2] = {a[1], b[0]}, mixed[2] = {a[0], b[0]}, others[2] = {a[0], b[1]};
	assert_int_equal(sockmap_pair_add(table, 0, fds), 0);
	uint32_t generation = table->directions[0].order.generation;
	assert_int_equal(sockmap_pair_add(table, 0, others), -EEXIST);
	assert_int_equal(sockmap_pair_add(table, 1, mixed), -EEXIST);
	/* The refused one has left nothing behind. */
	assert_int_equal(sockmap_pair_add(table, 1, others), 0);
	sockmap_pair_del(table, 1, others);
	sockmap_pair_del(table, 0, fds);
	assert_int_equal(sockmap_pair_add(table, 0, fds), 0);
	assert_int_equal(table->directions[0].order.generation, generation + 1);
	assert_true(sockmap_direction_has_left(table, 0));
	sockmap_pair_del(table, 0, fds);
	sockmap_table_destroy(table);
	for (unsigned i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void what_cannot_be_relayed_is_refused(void **state)
{
	struct sockmap_table *table;
	char reason[SOCKMAP_REASON_MAX];
	int a[2], b[2], local[2];
	(void)state;
	rig_need();
	assert_int_equal(sockmap_table_create(1, &table, reason), 0);
	peer_connect(&a[0], &a[1]);
	peer_connect(&b[0], &b[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, local), 0);
	const int fds[2] = {a[1], b[0]}, with_file[2] = {a[1], STDERR_FILENO};
	assert_true(sockmap_pair_add(table, 0, with_file) < 0);
	/* A peer that has ended before. */
	assert_int_equal(sockmap_pair_add(table, 0, fds), 0);
	shutdown(a[0], SHUT_WR);
	struct pollfd wait = {.fd = a[1], .events = POLLRDHUP};
	assert_int_equal(poll(&wait, 1, RIG_WAIT_MS), 1);
	assert_int_equal(sockmap_source_add(table, 0, a[1]), -EOPNOTSUPP);
	assert_true(sockmap_direction_has_left(table, 0));
	/* The other direction may still. */
	assert_int_equal(sockmap_source_add(table, 1, b[0]), 0);
	sockmap_pair_del(table, 0, fds);
	sockmap_table_destroy(table);
	for (unsigned i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(local[i]);
	}
}

static void counters_are_exact(void **state)
{
	static const struct rig_options plain;
	struct rig rig;
	struct sockmap_count count;
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	assert_null(rig_send(&rig, rig.client, 0, 10));
	assert_null(rig_enter(&rig));
	assert_null(rig_expect(&rig, rig.server, 0, 10));
	for (unsigned i = 0; i < 100; i++) {
		assert_null(rig_send(&rig, rig.client, 10 + 7 * i, 17 + 7 * i));
		assert_null(rig_expect(&rig, rig.server, 10 + 7 * i, 17 + 7 * i));
	}
	shutdown(rig.client, SHUT_WR);
	assert_null(rig_expect_end(&rig, rig.server));
	sockmap_direction_read(rig.table, 0, &count);
	assert_int_equal(count.passed, 10);
	assert_int_equal(count.passed_packets, 1);
	assert_int_equal(count.redirected, 700);
	assert_int_equal(count.redirected_packets, 100);
	assert_int_equal(count.empties, 1);
	assert_int_equal(count.brakes, 0);
	assert_int_equal(count.trims, 0);
	assert_int_equal(count.gaps, 0);
	assert_true(count.last_ns > 0);
	assert_int_equal(rig.line.ways[0].copied, 10);
	sockmap_direction_read(rig.table, 1, &count);
	assert_int_equal(count.redirected + count.passed + count.empties, 0);
	rig_close(&rig);
}

static void a_direction_settles_when_all_is_read_and_sent(void **state)
{
	static const struct rig_options plain;
	struct rig rig;
	uint8_t bytes[100];
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	assert_int_equal(sockmap_source_add(rig.table, 0, rig.source), 0);
	assert_true(sockmap_direction_settle(rig.table, 0));
	assert_null(rig_send(&rig, rig.client, 0, sizeof(bytes)));
	struct pollfd wait = {.fd = rig.source, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, RIG_WAIT_MS), 1);
	assert_int_equal(sockmap_direction_unread(rig.table, 0), sizeof(bytes));
	assert_false(sockmap_direction_settle(rig.table, 0));
	assert_int_equal(recv(rig.source, bytes, sizeof(bytes), 0), sizeof(bytes));
	sockmap_direction_take(rig.table, 0, sizeof(bytes));
	assert_int_equal(sockmap_direction_unread(rig.table, 0), 0);
	assert_false(sockmap_direction_settle(rig.table, 0));
	assert_int_equal(send(rig.target, bytes, 60, 0), 60);
	sockmap_direction_send(rig.table, 0, 60);
	assert_false(sockmap_direction_settle(rig.table, 0));
	assert_int_equal(send(rig.target, bytes + 60, 40, 0), 40);
	sockmap_direction_send(rig.table, 0, 40);
	assert_true(sockmap_direction_settle(rig.table, 0));
	rig_close(&rig);
}

static unsigned heard_count;

static void on_heard(void *ctx, const struct sockmap_event *event)
{
	(void)ctx;
	(void)event;
	heard_count++;
}

/* Passes one byte while it should redirect. */
static void make_record(struct rig *rig)
{
	struct pollfd wait = {.fd = rig->source, .events = POLLIN};
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_REDIRECT);
	rig->table->directions[1].count.has_left = 0;
	assert_null(rig_send(rig, rig->client, 0, 1));
	assert_int_equal(poll(&wait, 1, RIG_WAIT_MS), 1);
}

static void a_record_is_about_the_pair_that_made_it(void **state)
{
	static const struct rig_options plain;
	struct rig rig;
	(void)state;
	rig_need();
	for (unsigned i = 0; i < 2; i++) {
		assert_null(rig_open(&rig, &plain));
		assert_int_equal(sockmap_source_add(rig.table, 0, rig.source), 0);
		make_record(&rig);
		assert_null(rig_send(&rig, rig.client, 1, 2));
		if (i == 1) {
			sockmap_pair_del(rig.table, 0, rig.line.fds);
			assert_int_equal(sockmap_pair_add(rig.table, 0, rig.line.fds), 0);
		}
		heard_count = 0;
		sockmap_table_set_handler(rig.table, on_heard, NULL);
		/* Two bytes passed, one record. */
		assert_int_equal(sockmap_table_events_read(rig.table), 1);
		assert_int_equal(heard_count, i == 0 ? 1 : 0);
		rig_close(&rig);
	}
}

/* One record after another that nobody reads, until the ring is full; then a pass of another
 * direction must be heard all the same. */
static void a_full_ring_loses_no_pass(void **state)
{
	static const struct rig_options plain;
	struct rig rig;
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	assert_int_equal(sockmap_source_add(rig.table, 0, rig.source), 0);
	sockmap_direction_set_mode(rig.table, 0, SOCKMAP_REDIRECT);
	assert_null(rig_send(&rig, rig.client, 0, 1));
	for (unsigned i = 1; i <= MANY; i++) {
		struct pollfd wait = {.fd = rig.server, .events = POLLIN};
		assert_int_equal(poll(&wait, 1, RIG_WAIT_MS), 1);
		assert_null(rig_expect(&rig, rig.server, i - 1, i));
		/* What follows is refused, as if the other way passed. */
		rig.table->directions[1].count.has_left = 0;
		assert_null(rig_send(&rig, rig.client, i, i + 1));
		uint8_t byte;
		wait = (struct pollfd){.fd = rig.source, .events = POLLIN};
		assert_int_equal(poll(&wait, 1, RIG_WAIT_MS), 1);
		rig.table->directions[1].count.has_left = 1;
		if (i == MANY)
			break;
		assert_int_equal(recv(rig.source, &byte, 1, 0), 1);
		sockmap_direction_take(rig.table, 0, 1);
		assert_int_equal(send(rig.target, &byte, 1, 0), 1);
		sockmap_direction_send(rig.table, 0, 1);
		assert_true(sockmap_direction_settle(rig.table, 0));
	}
	assert_true(*rig.table->unheard != 0);
	sockmap_table_set_handler(rig.table, on_heard, NULL);
	heard_count = 0;
	/* The last pass has no record, and is found by looking. */
	int told = (int)rig.table->directions[0].count.told;
	assert_int_equal(sockmap_table_events_read(rig.table), told + 1);
	assert_int_equal(heard_count, told + 1);
	assert_int_equal(sockmap_table_events_read(rig.table), 0);
	rig_close(&rig);
}

static void many_leave_in_one_walk(void **state)
{
	struct sockmap_table *table;
	char reason[SOCKMAP_REASON_MAX];
	int clients[LEAVING], servers[LEAVING], fds[LEAVING][2];
	unsigned directions[2 * LEAVING];
	(void)state;
	rig_need();
	assert_int_equal(sockmap_table_create(LEAVING, &table, reason), 0);
	for (unsigned i = 0; i < LEAVING; i++) {
		peer_connect(&clients[i], &fds[i][0]);
		peer_connect(&fds[i][1], &servers[i]);
		assert_int_equal(sockmap_pair_add(table, i, fds[i]), 0);
		for (unsigned d = 0; d < 2; d++) {
			directions[2 * i + d] = i << 1 | d;
			assert_int_equal(sockmap_source_add(table, i << 1 | d, fds[i][d]), 0);
		}
	}
	uint64_t start = clock_monotonic_us();
	assert_int_equal(sockmap_leave(table, directions, 2 * LEAVING), 2 * LEAVING);
	print_message("a walk takes %llu us\n", (unsigned long long)(clock_monotonic_us() - start));
	for (unsigned i = 0; i < LEAVING; i++) {
		assert_true(sockmap_direction_has_left(table, i << 1));
		sockmap_pair_del(table, i, fds[i]);
		close(clients[i]);
		close(servers[i]);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	sockmap_table_destroy(table);
}

/* An entry that was one pair's is another's at once, with bytes of the first on their way:
 * none may reach the second. */
static void an_entry_is_used_again_under_traffic(void **state)
{
	static const struct rig_options plain;
	struct rig rig;
	(void)state;
	rig_need();
	assert_null(rig_open(&rig, &plain));
	assert_null(rig_enter(&rig));
	for (unsigned i = 0; i < REUSES; i++) {
		struct peer old = {.fd = rig.client, .seed_out = 77, .sends = UINT64_MAX};
		int source = rig.source, target = rig.target, server = rig.server;
		peer_start(&old);
		line_step(&rig.line, 1);
		line_close(&rig.line);
		rig.is_open = false;
		peer_connect(&rig.client, &rig.source);
		peer_connect(&rig.target, &rig.server);
		const int fds[2] = {rig.source, rig.target};
		assert_int_equal(line_open(&rig.line, rig.table, 0, fds), 0);
		rig.is_open = true;
		assert_null(rig_enter(&rig));
		assert_null(rig_send(&rig, rig.client, 0, 100));
		assert_null(rig_expect(&rig, rig.server, 0, 100));
		(void)peer_stop(&old, 0);
		close(old.fd);
		close(source);
		close(target);
		close(server);
	}
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernels_are_known_by_their_release),
		cmocka_unit_test(the_trial_is_quick_and_leaves_nothing),
		cmocka_unit_test(the_trial_finds_what_is_broken),
		cmocka_unit_test(a_pair_is_entered_once_and_taken_out),
		cmocka_unit_test(what_cannot_be_relayed_is_refused),
		cmocka_unit_test(counters_are_exact),
		cmocka_unit_test(a_direction_settles_when_all_is_read_and_sent),
		cmocka_unit_test(a_record_is_about_the_pair_that_made_it),
		cmocka_unit_test(a_full_ring_loses_no_pass),
		cmocka_unit_test(many_leave_in_one_walk),
		cmocka_unit_test(an_entry_is_used_again_under_traffic),
	};
	return cmocka_run_group_tests(tests, rig_setup, NULL);
}
