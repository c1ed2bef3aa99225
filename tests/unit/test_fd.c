/* Descriptors: closed once, flags set, limits raised as far as allowed. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_descriptor_is_closed_once(void **state)
{
	int ends[2], copy;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	copy = ends[0];
	errno = EAGAIN;
	fd_close(&ends[0]);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ends[0], -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void a_scope_closes_its_descriptor(void **state)
{
	int copy;

	(void)state;
	{
		FD_AUTO int fd = dup(STDERR_FILENO);

		copy = fd;
		assert_true(fd >= 0);
	}
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	{
		FD_AUTO int none = -1;

		assert_int_equal(none, -1);
	}
}

static void flags_are_added(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_set_nonblocking(ends[0]), 0);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	assert_int_equal(fd_set_nonblocking(-1), -EBADF);
}

/* In a child, as a limit once lowered may not come back. */
static void the_limit_rises_as_far_as_it_may(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit limit;

		if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < 64)
			_exit(1);
		limit.rlim_cur = 32;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(2);
		if (fd_limit_raise(16) != 32)
			_exit(3);
		if (fd_limit_raise(64) != 64)
			_exit(4);
		if (fd_limit_raise(~0UL) < 64)
			_exit(5);
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 64)
			_exit(6);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_closed_once),
		cmocka_unit_test(a_scope_closes_its_descriptor),
		cmocka_unit_test(flags_are_added),
		cmocka_unit_test(the_limit_rises_as_far_as_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
