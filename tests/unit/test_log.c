/* Events: their form on stderr, what the sink gets, what the start remembers. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static int stderr_saved = -1, stderr_read = -1;

/* From here stderr is a pipe. */
static void capture_begin(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	stderr_saved = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	(void)close(ends[1]);
	stderr_read = ends[0];
}

/* What was written since, in static storage. */
static const char *capture_end(void)
{
	static char captured[70000];
	size_t len = 0;
	ssize_t count;

	while ((count = read(stderr_read, captured + len, sizeof(captured) - 1 - len)) > 0)
		len += (size_t)count;
	captured[len] = '\0';
	(void)dup2(stderr_saved, STDERR_FILENO);
	fd_close(&stderr_saved);
	fd_close(&stderr_read);
	return captured;
}

struct label_case {
	enum log_level level;
	const char *start;
};

static const struct label_case label_cases[] = {
	{LOG_LEVEL_EMERG, "[EMERG]    ("},
	{LOG_LEVEL_ALERT, "[ALERT]    ("},
	{LOG_LEVEL_CRIT, "[CRIT]     ("},
	{LOG_LEVEL_ERR, "[ERROR]    ("},
	{LOG_LEVEL_WARNING, "[WARNING]  ("},
	{LOG_LEVEL_NOTICE, "[NOTICE]   ("},
};

static void lines_have_haproxys_form(void **state)
{
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(label_cases); i++) {
		(void)snprintf(
			expected, sizeof(expected), "%s%d) : words 7\n", label_cases[i].start, (int)getpid());
		capture_begin();
		errno = EDOM;
		log_event(label_cases[i].level, "words %d", 7);
		assert_int_equal(errno, EDOM);
		assert_string_equal(capture_end(), expected);
	}
}

static void the_level_decides_what_is_printed(void **state)
{
	(void)state;
	capture_begin();
	log_event(LOG_LEVEL_INFO, "not by default");
	log_set_stderr_level(LOG_LEVEL_ALERT);
	log_event(LOG_LEVEL_WARNING, "not when quiet");
	log_set_stderr_level(-1);
	log_event(LOG_LEVEL_EMERG, "nothing at all");
	log_set_stderr_level(LOG_LEVEL_NOTICE);
	assert_string_equal(capture_end(), "");
}

static void control_characters_are_escaped(void **state)
{
	const char *line;

	(void)state;
	capture_begin();
	log_event(LOG_LEVEL_NOTICE, "a\nb\tc\x1b[1m\x7f%s", "\xc3\xa9");
	line = capture_end();
	assert_non_null(strstr(line, " : a\\x0ab\\x09c\\x1b[1m\\x7f\xc3\xa9\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void a_very_long_message_is_cut_and_says_so(void **state)
{
	static char words[10000];
	const char *line;

	(void)state;
	memset(words, '\n', sizeof(words) - 1);
	capture_begin();
	log_event(LOG_LEVEL_NOTICE, "%s", words);
	line = capture_end();
	assert_true(strlen(line) > 4 * 4000);
	assert_string_equal(line + strlen(line) - 7, " [...]\n");
}

struct sink_state {
	unsigned calls;
	enum log_level level;
	char message[64];
};

static void remember(void *context, enum log_level level, const char *message)
{
	struct sink_state *sink = context;

	sink->calls++;
	sink->level = level;
	(void)snprintf(sink->message, sizeof(sink->message), "%s", message);
	if (sink->calls == 1)
		log_event(LOG_LEVEL_DEBUG, "a sink that reports an event itself");
}

static void the_sink_gets_the_bare_message(void **state)
{
	struct sink_state sink = {0};

	(void)state;
	log_set_sink(remember, &sink);
	log_event(LOG_LEVEL_DEBUG, "number %d\n", 3);
	assert_int_equal(sink.calls, 1);
	assert_int_equal(sink.level, LOG_LEVEL_DEBUG);
	assert_string_equal(sink.message, "number 3\\x0a");
	log_set_sink(NULL, NULL);
	log_event(LOG_LEVEL_DEBUG, "nobody hears this");
	assert_int_equal(sink.calls, 1);
}

static void *report_many(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < 100; i++)
		log_event(LOG_LEVEL_WARNING, "one of many");
	return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
	pthread_t threads[3];
	unsigned lines = 0;
	char *line, *rest = NULL;

	(void)state;
	capture_begin();
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, report_many, NULL), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	line = strdup(capture_end());
	for (char *at = strtok_r(line, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		assert_int_equal(strncmp(at, "[WARNING]", 9), 0);
		assert_string_equal(at + strlen(at) - 11, "one of many");
		lines++;
	}
	assert_int_equal(lines, 300);
	free(line);
}

/* Runs last: what it ends does not begin again. */
static void the_start_is_remembered_within_bounds(void **state)
{
	char *copy;

	(void)state;
	copy = log_startup_copy();
	assert_non_null(copy);
	assert_non_null(strstr(copy, "[ALERT]    ("));
	assert_null(strstr(copy, "not by default"));
	assert_non_null(strstr(copy, "not when quiet"));
	free(copy);

	log_set_stderr_level(-1);
	for (unsigned i = 0; i < 3000; i++)
		log_event(LOG_LEVEL_NOTICE, "a line that is about fifty bytes long, for filling");
	copy = log_startup_copy();
	assert_in_range(strlen(copy), 65000, 65535);
	assert_int_equal(copy[strlen(copy) - 1], '\n');
	free(copy);
}

static void after_its_end_the_start_is_kept_but_grows_no_more(void **state)
{
	char *before, *after;

	(void)state;
	log_startup_end();
	before = log_startup_copy();
	log_event(LOG_LEVEL_ALERT, "x");
	after = log_startup_copy();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_haproxys_form),
		cmocka_unit_test(the_level_decides_what_is_printed),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(a_very_long_message_is_cut_and_says_so),
		cmocka_unit_test(the_sink_gets_the_bare_message),
		cmocka_unit_test(lines_of_several_threads_stay_whole),
		cmocka_unit_test(the_start_is_remembered_within_bounds),
		cmocka_unit_test(after_its_end_the_start_is_kept_but_grows_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
