/* Every call may fail: a small workload is repeated with the first, the second, …
 * call of a kind failing in every way the kernel has for it.  The proxy must go on,
 * lose nothing it holds, and serve the next client. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fault_calls.h"
#include "fault_rig.h"

enum { ERRORS_MAX = 8 };

struct fault_case {
	const char *name;
	enum fault_call call;
	int errors[ERRORS_MAX]; /* ends with 0 */
};

static const struct fault_case cases[] = {
	{"every malloc may find no memory", FAULT_MALLOC, {ENOMEM}},
	{"every calloc may find no memory", FAULT_CALLOC, {ENOMEM}},
	{"every aligned_alloc may find no memory", FAULT_ALIGNED_ALLOC, {ENOMEM}},
	{"every accept may fail", FAULT_ACCEPT,
		{EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, EINTR, EPERM}},
	{"every connect may fail", FAULT_CONNECT,
		{ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT, ENOBUFS, EACCES}},
	{"every socket may fail", FAULT_SOCKET, {EMFILE, ENFILE, ENOMEM, ENOBUFS}},
	{"every epoll_ctl may fail", FAULT_EPOLL, {ENOMEM, ENOSPC}},
	{"every pipe2 may fail", FAULT_PIPE, {EMFILE, ENFILE}},
};

static void gauges_check(const struct rig *rig)
{
	const struct relay_worker *relays = &rig->table.relay_worker;
	assert_int_equal(rig->limits.conn_cur, 0);
	assert_int_equal(rig->frontend->conn_cur, 0);
	assert_int_equal(rig->frontend->listeners->conn_cur, 0);
	assert_int_equal(rig->backend->conn_cur, 0);
	assert_int_equal(rig->backend->queue_cur, 0);
	assert_int_equal(rig->backend->servers[0].conn_cur, 0);
	assert_int_equal(rig->table.pool.used, 0);
	assert_int_equal(relays->held_bytes, 0);
	assert_int_equal(relays->pipes_used, 0);
	uint64_t closes = 0;
	for (unsigned reason = 0; reason < CLOSE_REASONS; reason++)
		closes += rig->table.closes[reason];
	assert_int_equal(closes, rig->limits.conn_total);
}

/* Returns how many clients were served well; 0 when the start was refused. */
static unsigned workload(void)
{
	struct rig rig;
	unsigned fds_before = rig_fds_open(), good = 0;
	long blocks_before = fault_blocks();
	if (rig_start(&rig) == 0) {
		good = rig_clients_run(&rig, RIG_CLIENTS);
		rig_settle(&rig);
		gauges_check(&rig);
		fault_disarm();
		/* The fault is over: one more client finds everything in order. */
		assert_int_equal(rig_clients_run(&rig, 1), 1);
		rig_settle(&rig);
		gauges_check(&rig);
		rig_stop(&rig);
	}
	assert_int_equal(rig_fds_open(), fds_before);
	assert_int_equal(fault_blocks(), blocks_before);
	return good;
}

static void test_call_may_fail(void **state)
{
	const struct fault_case *row = *state;
	fault_arm(row->call, 0, 0);
	assert_int_equal(workload(), RIG_CLIENTS);
	unsigned count = fault_count(row->call), struck = 0;
	assert_true(count > 0);
	for (unsigned position = 1; position <= count; position++) {
		for (unsigned i = 0; i < ERRORS_MAX && row->errors[i] != 0; i++) {
			fault_arm(row->call, position, row->errors[i]);
			(void)workload();
			struck += fault_has_struck();
		}
	}
	print_message("%s: %u calls, %u failures\n", row->name, count, struck);
	/* Timing may make some calls of the count rare, but never most of them. */
	assert_true(2 * struck >= count);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LENGTH(cases)];
	struct sigaction ignore;
	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &ignore, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		union {
			const void *from;
			void *to;
		} state = {.from = &cases[i]};
		tests[i] = (struct CMUnitTest){cases[i].name, test_call_may_fail, NULL, NULL, state.to};
	}
	return cmocka_run_group_tests_name("every call may fail", tests, NULL, NULL);
}
