/* Pools: zeroed objects, a limit that holds, refusals that are counted. */
#include "base/pool.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OBJECTS = 1000 };

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	static unsigned char *objects[OBJECTS];
	struct pool pool;

	(void)state;
	pool_init(&pool, 41, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < OBJECTS; i++) {
			objects[i] = pool_get(&pool);
			assert_non_null(objects[i]);
			assert_int_equal((uintptr_t)objects[i] % 16, 0);
			for (size_t at = 0; at < 41; at++)
				assert_int_equal(objects[i][at], 0);
			memset(objects[i], (int)(i % 255) + 1, 41);
		}
		assert_int_equal(pool.used, OBJECTS);
		for (size_t i = 0; i < OBJECTS; i++) {
			for (size_t at = 0; at < 41; at++)
				assert_int_equal(objects[i][at], i % 255 + 1);
		}
		for (size_t i = 0; i < OBJECTS; i++)
			pool_put(&pool, objects[(i * 7) % OBJECTS]);
		assert_int_equal(pool.used, 0);
	}
	/* What was returned is used again. */
	assert_in_range(pool.allocated, OBJECTS, OBJECTS + 63);
	assert_int_equal(pool.refusals, 0);
	pool_release(&pool);
}

static void the_limit_holds_and_refusals_are_counted(void **state)
{
	void *objects[70];
	struct pool pool;

	(void)state;
	pool_init(&pool, 1, 70);
	for (size_t i = 0; i < 70; i++)
		assert_non_null(objects[i] = pool_get(&pool));
	assert_null(pool_get(&pool));
	assert_null(pool_get(&pool));
	assert_int_equal(pool.refusals, 2);
	assert_int_equal(pool.allocated, 70);
	pool_put(&pool, objects[3]);
	assert_ptr_equal(pool_get(&pool), objects[3]);
	for (size_t i = 0; i < 70; i++)
		pool_put(&pool, objects[i]);
	pool_release(&pool);
}

static void large_objects_come_in_small_chunks(void **state)
{
	struct pool pool;
	void *object;

	(void)state;
	pool_init(&pool, 1 << 20, 0);
	object = pool_get(&pool);
	assert_non_null(object);
	assert_int_equal(pool.allocated, 1);
	pool_put(&pool, object);
	pool_release(&pool);
}

static void nothing_may_be_returned_and_released(void **state)
{
	struct pool pool;

	(void)state;
	pool_init(&pool, 8, 1);
	pool_put(&pool, NULL);
	pool_release(&pool);
	pool_release(&pool);
	pool_release(NULL);
}

static void a_pool_with_objects_outside_is_not_released(void **state)
{
	struct pool pool;
	void *object;
	pid_t child;
	int status;

	(void)state;
	pool_init(&pool, 8, 1);
	object = pool_get(&pool);
	assert_non_null(object);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		(void)close(STDERR_FILENO);
		pool_release(&pool);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	pool_put(&pool, object);
	pool_release(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(the_limit_holds_and_refusals_are_counted),
		cmocka_unit_test(large_objects_come_in_small_chunks),
		cmocka_unit_test(nothing_may_be_returned_and_released),
		cmocka_unit_test(a_pool_with_objects_outside_is_not_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
