/* Runs the tests of a file once on every back end of the loop.  A macro, for cmocka
 * counts the tests in the array. */
#pragma once

#include <string.h>

#include "loop/loop.h"

/* The back end of this turn, and its loop, made for each group. */
static const char *backend;
static struct loop *loop;

static int loop_begin(void **state)
{
	(void)state;
	loop = loop_create_named(backend);
	if (!loop)
		return -1;
	assert_string_equal(loop_backend_name(loop), backend);
	return 0;
}

static int loop_end(void **state)
{
	(void)state;
	loop_destroy(loop);
	return 0;
}

/* Says why a back end is left out; the first one never is. */
static inline bool backend_is_usable(void)
{
	const char *reason = loop_backend_unavailable(backend);

	if (reason)
		print_message("[  SKIPPED ] %s: %s\n", backend, reason);
	assert_true(!reason || strcmp(backend, loop_backend_names()[0]) != 0);
	return !reason;
}

#define LOOP_TESTS_RUN(tests)                                                                              \
	({                                                                                                 \
		int failures_ = 0;                                                                         \
		for (const char *const *name_ = loop_backend_names(); *name_; name_++) {                   \
			backend = *name_;                                                                  \
			if (backend_is_usable())                                                           \
				failures_ +=                                                               \
					cmocka_run_group_tests_name(backend, tests, loop_begin, loop_end); \
		}                                                                                          \
		failures_;                                                                                 \
	})
