/* Readings of living processes: own threads that come and go, a child that ends. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { HUNDRED_MS_NS = 100 * 1000 * 1000 };

static struct proc_file file;

static uint64_t thread_cpu_ns(void)
{
	struct timespec time;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t start = thread_cpu_ns();
	while (thread_cpu_ns() - start < ns)
		;
}

struct helper {
	int to_helper[2], from_helper[2];
	pthread_t thread;
	pid_t tid;
};

/* Burns, says so, and ends when told to. */
static void *helper_run(void *argument)
{
	struct helper *helper = argument;
	char byte = 0;
	helper->tid = (pid_t)syscall(SYS_gettid);
	burn(HUNDRED_MS_NS);
	assert_int_equal(write(helper->from_helper[1], &byte, 1), 1);
	assert_int_equal(read(helper->to_helper[0], &byte, 1), 1);
	return NULL;
}

static void helper_start(struct helper *helper)
{
	char byte;
	assert_int_equal(pipe(helper->to_helper), 0);
	assert_int_equal(pipe(helper->from_helper), 0);
	assert_int_equal(pthread_create(&helper->thread, NULL, helper_run, helper), 0);
	assert_int_equal(read(helper->from_helper[0], &byte, 1), 1);
}

static void helper_end(struct helper *helper)
{
	char byte = 0;
	assert_int_equal(write(helper->to_helper[1], &byte, 1), 1);
	pthread_join(helper->thread, NULL);
	for (size_t i = 0; i < 2; i++) {
		close(helper->to_helper[i]);
		close(helper->from_helper[i]);
	}
}

static void what_all_threads_use_is_counted_also_after_they_ended(void **state)
{
	struct process process;
	struct helper helper;
	(void)state;
	burn(HUNDRED_MS_NS); /* before the start: does not count */
	assert_int_equal(process_init(&process, getpid(), &file), 0);
	process_start(&process, &file);
	assert_true(process_use(&process).run_ns < HUNDRED_MS_NS);
	helper_start(&helper);
	process_refresh(&process, &file);
	assert_true(process.last.threads >= 2);
	uint64_t run_ns = process_use(&process).run_ns;
	assert_true(run_ns >= HUNDRED_MS_NS / 2);
	helper_end(&helper);
	process_refresh(&process, &file);
	process_refresh(&process, &file);
	assert_true(process_use(&process).run_ns >= run_ns);
	assert_true(process.last.user_ticks + process.last.system_ticks >
		process.first.user_ticks + process.first.system_ticks);
	assert_false(process.is_ended);
	assert_true(process.rss_bytes > 0);
	process_release(&process);
}

static pid_t child_start(int *ret_release_fd)
{
	int pipe_fds[2];
	char byte;
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(pipe_fds[0]);
	*ret_release_fd = pipe_fds[1];
	return pid;
}

static void a_process_that_ends_keeps_its_last_values(void **state)
{
	struct process process;
	siginfo_t info;
	int release_fd;
	(void)state;
	pid_t pid = child_start(&release_fd);
	assert_int_equal(process_init(&process, pid, &file), 0);
	process_start(&process, &file);
	process_memory_refresh(&process, &file);
	uint64_t rss_bytes = process.rss_bytes;
	assert_true(rss_bytes > 0);
	close(release_fd);
	/* Ended, but not collected yet. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	process_refresh(&process, &file);
	assert_true(process.is_ended);
	assert_int_equal(process.rss_bytes, rss_bytes);
	assert_int_equal(process.last.threads, 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	process_refresh(&process, &file);
	process_memory_refresh(&process, &file);
	assert_int_equal(process.rss_bytes, rss_bytes);
	process_release(&process);
}

static void a_process_collected_between_two_readings_is_found_ended(void **state)
{
	struct process process;
	int release_fd;
	(void)state;
	pid_t pid = child_start(&release_fd);
	assert_int_equal(process_init(&process, pid, &file), 0);
	process_start(&process, &file);
	struct proc_stat last = process.last;
	close(release_fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	process_refresh(&process, &file);
	assert_true(process.is_ended);
	assert_int_equal(process.last.rss_pages, last.rss_pages);
	assert_int_equal(process.last.user_ticks, last.user_ticks);
	process_release(&process);
	/* The number is free again. */
	assert_int_equal(process_init(&process, pid, &file), -ESRCH);
	process_release(&process);
}

static void a_thread_is_no_process(void **state)
{
	struct process process;
	struct helper helper;
	(void)state;
	helper_start(&helper);
	assert_int_equal(process_init(&process, helper.tid, &file), -EINVAL);
	process_release(&process);
	helper_end(&helper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_all_threads_use_is_counted_also_after_they_ended),
		cmocka_unit_test(a_process_that_ends_keeps_its_last_values),
		cmocka_unit_test(a_process_collected_between_two_readings_is_found_ended),
		cmocka_unit_test(a_thread_is_no_process),
	};
	int result = cmocka_run_group_tests(tests, NULL, NULL);
	proc_file_release(&file);
	return result;
}
