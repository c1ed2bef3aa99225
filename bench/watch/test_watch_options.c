/* The command line of `splicebench watch`: what is taken, what is refused and how. */
#include "watch_options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 32 };

/* Parses "watch" and the words of a line. */
static int parse(const char *line, struct watch_options *ret_options, char *ret_reason)
{
	char words[256];
	char *argv[ARGUMENTS_MAX] = {words};
	int argc = 1;
	snprintf(words, sizeof(words), "watch %s", line);
	for (char *at = words; *at != '\0'; at++) {
		if (*at != ' ')
			continue;
		*at = '\0';
		if (at[1] != '\0' && argc < ARGUMENTS_MAX - 1)
			argv[argc++] = at + 1;
	}
	return watch_options_parse(argc, argv, ret_options, ret_reason);
}

static void a_whole_line_is_taken(void **state)
{
	struct watch_options options;
	char reason[WATCH_OPTIONS_REASON_MAX];
	(void)state;
	assert_int_equal(parse("--pid 12,34 --pid 5 --seconds 1.5 --warmup 0.25 --every 20 --port 8080 "
			       "--source proc --json",
				 &options, reason),
		0);
	assert_int_equal(options.pids_used, 3);
	assert_int_equal(options.pids[1], 34);
	assert_int_equal(options.pids[2], 5);
	assert_int_equal(options.seconds_us, 1500000);
	assert_int_equal(options.warmup_us, 250000);
	assert_int_equal(options.every_us, 20000);
	assert_int_equal(options.port, 8080);
	assert_int_equal(options.source, WATCH_SOURCE_PROC);
	assert_true(options.is_json);
}

static void without_seconds_only_a_signal_ends_it(void **state)
{
	struct watch_options options;
	char reason[WATCH_OPTIONS_REASON_MAX];
	(void)state;
	assert_int_equal(parse("--pid 1", &options, reason), 0);
	assert_true(options.seconds_us == UINT64_MAX);
	assert_int_equal(options.source, WATCH_SOURCE_AUTO);
	assert_int_equal(parse("--help", &options, reason), 0);
	assert_true(options.is_help);
}

struct refusal {
	const char *line, *word; /* the sentence holds the word */
};

static const struct refusal refusals[] = {
	{"", "--pid"},
	{"--pid", "--pid wants a value"},
	{"--pid x", "'x'"},
	{"--pid 0", "'0'"},
	{"--pid -4", "'-4'"},
	{"--pid 4,", "''"},
	{"--pid 4,,5", "''"},
	{"--pid 99999999999999999999", "9999"},
	{"--pid 2147483648", "2147483648"},
	{"--pid 4,5,4", "twice"},
	{"--pid 1,2,3,4,5,6,7,8,9", "at most 8"},
	{"--pid 1 --seconds 0", "--seconds"},
	{"--pid 1 --seconds -1", "--seconds"},
	{"--pid 1 --seconds nan", "--seconds"},
	{"--pid 1 --seconds 1e9", "--seconds"},
	{"--pid 1 --seconds 1s", "--seconds"},
	{"--pid 1 --warmup inf", "--warmup"},
	{"--pid 1 --every 9", "--every"},
	{"--pid 1 --every 100 --port 65536", "--port"},
	{"--pid 1 --port 80", "--every"},
	{"--pid 1 --source kprobe", "kprobe"},
	{"--pid 1 --nonsense", "--nonsense"},
	{"--pid 1 --json=1", "--json=1"},
	{"--pid 1 more", "'more'"},
};

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		struct watch_options options;
		char reason[WATCH_OPTIONS_REASON_MAX] = "";
		print_message("  '%s'\n", refusals[i].line);
		assert_int_equal(parse(refusals[i].line, &options, reason), -EINVAL);
		assert_non_null(strstr(reason, refusals[i].word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_line_is_taken),
		cmocka_unit_test(without_seconds_only_a_signal_ends_it),
		cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
