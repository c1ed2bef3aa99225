/* Regular expressions and their bounds. */
#include "base/pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES_MAX = 32 };
static void *pieces[PIECES_MAX];
static unsigned pieces_count;

static void *piece_take(size_t bytes, void *context)
{
	assert_ptr_equal(context, pieces);
	assert_in_range(pieces_count, 0, PIECES_MAX - 1);
	return pieces[pieces_count++] = malloc(bytes);
}

static int pieces_free(void **state)
{
	(void)state;
	while (pieces_count > 0)
		free(pieces[--pieces_count]);
	return 0;
}

static char reason[128];

static int compile(const char *text, struct pattern **ret_pattern)
{
	const struct pattern_memory memory = {piece_take, pieces};
	return pattern_compile(text, &memory, ret_pattern, reason, sizeof(reason));
}

static enum pattern_answer match(const char *text, const void *bytes, size_t len)
{
	struct pattern *pattern;
	assert_int_equal(compile(text, &pattern), 0);
	return pattern_match(pattern, bytes, len);
}

static void bytes_are_searched(void **state)
{
	(void)state;
	assert_int_equal(match("b.d", "abcde", 5), PATTERN_MATCHES);
	assert_int_equal(match("^b", "abc", 3), PATTERN_DIFFERS);
	assert_int_equal(match("x\\x00y", "wx\0y", 4), PATTERN_MATCHES);
	assert_int_equal(match("\\xff", "\xff", 1), PATTERN_MATCHES);
	assert_int_equal(match("a", "", 0), PATTERN_DIFFERS);
	assert_int_equal(match("$", "", 0), PATTERN_MATCHES);
}

static void mistakes_are_told_with_their_place(void **state)
{
	char longest[PATTERN_BYTES_MAX + 2];
	struct pattern *pattern;
	(void)state;
	assert_int_equal(compile("a(b", &pattern), -EINVAL);
	assert_string_equal(reason, "missing closing parenthesis, at character 4");
	assert_int_equal(compile("a\\Cb", &pattern), -EINVAL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(compile(longest, &pattern), -EINVAL);
	assert_non_null(strstr(reason, "longer than the limit"));
}

/* Each would take years. */
static void work_is_bounded(void **state)
{
	char bytes[4096];
	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 'b';
	assert_int_equal(match("^(a+)+$", bytes, sizeof(bytes)), PATTERN_TOO_DEAR);
	assert_int_equal(match("^(a|aa)+$", bytes, sizeof(bytes)), PATTERN_TOO_DEAR);
	assert_int_equal(match("^(?:(?:a*)*)*c?$", bytes, sizeof(bytes)), PATTERN_TOO_DEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bytes_are_searched, pieces_free),
		cmocka_unit_test_teardown(mistakes_are_told_with_their_place, pieces_free),
		cmocka_unit_test_teardown(work_is_bounded, pieces_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
