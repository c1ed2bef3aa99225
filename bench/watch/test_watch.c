/* The watch as a whole, upon this very process; the cells of the histogram. */
#include "watch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "report.h"

enum { CALLS = 5000 };

static void every_value_lies_in_a_cell_that_knows_it_to_three_percent(void **state)
{
	uint32_t before = 0;
	(void)state;
	for (uint64_t value = 0; value < (uint64_t)1 << WATCH_OCTAVE_MAX; value += 1 + value / 97) {
		uint32_t cell = watch_cell(value);
		uint64_t middle = watch_cell_value(cell);
		uint64_t error = middle > value ? middle - value : value - middle;
		assert_true(cell < WATCH_CELLS && cell >= before);
		assert_true(error * 100 <= value * 3);
		before = cell;
	}
	assert_int_equal(watch_cell(UINT64_MAX), WATCH_CELLS - 1);
	assert_int_equal(watch_cell(((uint64_t)2 << WATCH_OCTAVE_MAX) - 1), WATCH_CELLS - 1);
}

static void quantiles_are_where_the_counts_are(void **state)
{
	static struct watch_counts counts;
	(void)state;
	assert_true(watch_quantile_us(&counts, 0.5) == 0);
	counts.wake_cells[watch_cell(1000)] = 90;
	counts.wake_cells[watch_cell(100000)] = 10;
	counts.wake_highest_ns = 100000;
	assert_in_range((unsigned)(watch_quantile_us(&counts, 0.5) * 1000), 970, 1030);
	assert_in_range((unsigned)(watch_quantile_us(&counts, 0.89) * 1000), 970, 1030);
	assert_in_range((unsigned)(watch_quantile_us(&counts, 0.91) * 1000), 97000, 100000);
	/* Never more than the highest value that came. */
	assert_true(watch_quantile_us(&counts, 1.0) <= 100.0);
}

static void report_take(enum watch_source source, struct watch *watch, struct watch_report *ret_report)
{
	char reason[WATCH_REASON_MAX];
	pid_t pid = getpid();
	if (watch_init(watch, &pid, 1, source, reason) < 0) {
		print_message("  left out: %s\n", reason);
		watch_release(watch);
		skip();
	}
	watch_start(watch);
	for (unsigned i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	watch_stop(watch, ret_report);
}

static void without_bpf_the_report_says_why(void **state)
{
	struct watch watch;
	struct watch_report report;
	(void)state;
	report_take(WATCH_SOURCE_PROC, &watch, &report);
	assert_false(report.is_bpf);
	assert_non_null(report.why_not_bpf);
	assert_int_equal(report.processes_used, 1);
	assert_int_equal(report.processes[0].pid, getpid());
	assert_true(report.processes[0].has_pss);
	assert_true(report.seconds > 0 && report.machine.cpus > 0);
	json_t *object = watch_report_json(&report);
	assert_non_null(object);
	json_t *process = json_array_get(json_object_get(object, "pids"), 0);
	assert_true(json_is_null(json_object_get(process, "syscalls")));
	assert_true(json_is_null(json_object_get(process, "wake_latency_us")));
	assert_true(json_is_integer(json_object_get(process, "pss_bytes")));
	assert_true(json_is_string(json_object_get(object, "why_not_bpf")));
	json_decref(object);
	watch_release(&watch);
}

static void bpf_counts_each_system_call_by_its_name(void **state)
{
	struct watch watch;
	struct watch_report report;
	(void)state;
	report_take(WATCH_SOURCE_BPF, &watch, &report);
	assert_true(report.is_bpf);
	assert_null(report.why_not_bpf);
	/* The watch's own few are among them: it watches itself here. */
	assert_in_range(report.processes[0].syscalls, CALLS, CALLS + 20);
	assert_int_equal(report.processes[0].syscalls_top[0].number, SYS_getppid);
	assert_int_equal(report.processes[0].syscalls_top[0].count, CALLS);
	json_t *object = watch_report_json(&report);
	json_t *process = json_array_get(json_object_get(object, "pids"), 0);
	json_t *names = json_object_get(process, "syscalls_by_name");
	assert_int_equal(json_integer_value(json_object_get(names, "getppid")), CALLS);
	json_decref(object);
	watch_release(&watch);
}

static void a_missing_process_is_refused_with_its_number(void **state)
{
	struct watch watch;
	char reason[WATCH_REASON_MAX];
	pid_t pids[] = {getpid(), 0x7ffffffe};
	(void)state;
	assert_int_equal(watch_init(&watch, pids, 2, WATCH_SOURCE_PROC, reason), -ESRCH);
	assert_non_null(strstr(reason, "2147483646"));
	watch_release(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_lies_in_a_cell_that_knows_it_to_three_percent),
		cmocka_unit_test(quantiles_are_where_the_counts_are),
		cmocka_unit_test(without_bpf_the_report_says_why),
		cmocka_unit_test(bpf_counts_each_system_call_by_its_name),
		cmocka_unit_test(a_missing_process_is_refused_with_its_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
