/* The flags of splicebench's loads and of its server: what is taken, what is refused and how. */
#include "../../bench/load/options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 32, TEXT_MAX = 1024, KIB = 1024, MIB = 1024 * 1024 };

/* Reads the words of a line; its first is the name of the command. */
static bool read_line(
	enum load_command command, const char *line, struct load_options *ret_options, int *ret_status)
{
	char text[TEXT_MAX];
	char *words[WORDS_MAX + 1] = {text};
	int count = 1;
	(void)snprintf(text, sizeof(text), "%s", line);
	for (char *at = text; *at != '\0'; at++) {
		if (*at != ' ')
			continue;
		*at = '\0';
		assert_true(count < WORDS_MAX);
		words[count++] = at + 1;
	}
	return options_read(command, count, words, ret_options, ret_status);
}

/* The same with what is written to standard error as a text of TEXT_MAX bytes. */
static bool read_refused(enum load_command command, const char *line, int *ret_status, char *ret_said)
{
	struct load_options options;
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), said = memfd_create("said", MFD_CLOEXEC);
	assert_true(kept >= 0 && said >= 0 && dup2(said, STDERR_FILENO) == STDERR_FILENO);
	bool is_taken = read_line(command, line, &options, ret_status);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	ssize_t len = pread(said, ret_said, TEXT_MAX - 1, 0);
	assert_true(len >= 0);
	ret_said[len] = '\0';
	close(said);
	close(kept);
	return is_taken;
}

static void numbers_sizes_and_seconds_are_taken(void **state)
{
	struct load_options options;
	int status;
	(void)state;
	assert_true(read_line(LOAD_PINGPONG,
		"pingpong --to 127.0.0.1:80 --connections 64 --threads 2 --seconds .5 --warmup 0 --size 4k --answer 1m "
		"--rate 2.5e4 --sample-every 3 --seed 9000000000000000",
		&options, &status));
	assert_int_equal(options.connections, 64);
	assert_int_equal(options.threads, 2);
	assert_float_equal(options.seconds, 0.5, 1e-9);
	assert_float_equal(options.warmup_s, 0, 1e-9);
	assert_int_equal(options.size, 4 * KIB);
	assert_int_equal(options.answer, MIB);
	assert_float_equal(options.rate, 25000, 1e-9);
	assert_int_equal(options.sample_every, 3 * MIB);
	assert_true(options.seed == 9000000000000000);
	assert_true(read_line(LOAD_SERVE,
		"serve --listen 127.0.0.1:80 --delay-us 1000000 --stall-ms-every 10:3600000", &options,
		&status));
	assert_int_equal(options.delay_us, 1000000);
	assert_int_equal(options.stall_ms, 10);
	assert_int_equal(options.stall_every_ms, 3600000);
}

static const struct {
	enum load_command command;
	const char *line, *words; /* the sentence holds the words */
} refusals[] = {
	{LOAD_BULK, "bulk --connections 0", "--connections wants a whole number from 1 to 60000, not '0'"},
	{LOAD_BULK, "bulk --connections 60001", "not '60001'"},
	{LOAD_BULK, "bulk --connections 1.5", "not '1.5'"},
	{LOAD_BULK, "bulk --connections +1", "not '+1'"},
	{LOAD_BULK, "bulk --connections 4294967297", "not '4294967297'"},
	{LOAD_BULK, "bulk --seed 9000000000000001", "from 1 to 9000000000000000, not"},
	{LOAD_BULK, "bulk --seconds 0.001", "--seconds wants a number from 0.01 to 86400, not '0.001'"},
	{LOAD_BULK, "bulk --seconds 1s", "not '1s'"},
	{LOAD_BULK, "bulk --seconds nan", "not 'nan'"},
	{LOAD_BULK, "bulk --warmup -1", "--warmup wants a number from 0 to 3600, not '-1'"},
	{LOAD_CHURN, "churn --size 0", "--size wants a size from 1 to 64M, not '0'"},
	{LOAD_CHURN, "churn --size 65M", "not '65M'"},
	{LOAD_CHURN, "churn --messages 0", "--messages wants a whole number from 1 to 1000000, not '0'"},
	{LOAD_PINGPONG, "pingpong --messages 2", "there is no flag '--messages'"},
	{LOAD_CHURN, "churn --size 1.5k", "not '1.5k'"},
	{LOAD_CHURN, "churn --answer 4294967296k", "--answer wants a size"},
	{LOAD_SERVE, "serve --delay-us 1000001", "from 1 to 1000000, not '1000001'"},
	{LOAD_SERVE, "serve --stall-ms-every 10", "--stall-ms-every wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 10:", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 0:10", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 10:10", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 10:20x", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 1:3600001", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every -1:10", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 4294967297:10", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --stall-ms-every 18446744073709551615:10", "wants MS:EVERY"},
	{LOAD_SERVE, "serve --reset", "there is no flag '--reset'"},
	{LOAD_SERVE, "serve --listen", "an argument is missing after '--listen'"},
	{LOAD_SERVE, "serve", "--listen is missing"},
	{LOAD_BULK, "bulk more", "'more' is not a flag"},
};

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		char said[TEXT_MAX];
		int status = 0;
		print_message("  '%s'\n", refusals[i].line);
		assert_false(read_refused(refusals[i].command, refusals[i].line, &status, said));
		assert_int_equal(status, 2);
		assert_non_null(strstr(said, refusals[i].words));
		assert_non_null(strstr(said, "--help'"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_sizes_and_seconds_are_taken),
		cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
