/* A broken assertion says where it stands and ends the process. */
#include "base/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_true_check_is_silent(void **state)
{
	(void)state;
	CHECK(1 + 1 == 2);
	CHECK_SLOW(1 + 1 == 2);
}

static void a_false_check_reports_and_aborts(void **state)
{
	char report[512] = "";
	ssize_t len;
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		(void)dup2(ends[1], STDERR_FILENO);
		CHECK(child == 4711);
		_exit(0);
	}
	(void)close(ends[1]);
	len = read(ends[0], report, sizeof(report) - 1);
	(void)close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_true(len > 0);
	assert_non_null(strstr(report, "[ALERT]"));
	assert_non_null(strstr(report, "child == 4711"));
	assert_non_null(strstr(report, "a_false_check_reports_and_aborts"));
	assert_non_null(strstr(report, "test_check.c:"));
	assert_int_equal(report[len - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_check_is_silent),
		cmocka_unit_test(a_false_check_reports_and_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
