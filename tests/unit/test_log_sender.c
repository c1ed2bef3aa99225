/* log_sender.c, log_ring.c, log_header.c and log_channel.c */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "log/log_channel.h"
#include "log/log_ring.h"
#include "log/log_sender.h"

struct fixture {
	struct loop *loop;
	struct config_global global;
	struct log_sender *sender;
	struct log_ring *ring;
};

static void fixture_open(struct fixture *fixture)
{
	fixture->loop = loop_create();
	assert_non_null(fixture->loop);
	fixture->global.log_tag = "tag";
	assert_int_equal(log_sender_create(fixture->loop, &fixture->global, &fixture->sender), 0);
	fixture->ring = log_ring_add(fixture->sender);
	assert_non_null(fixture->ring);
}

static void fixture_close(struct fixture *fixture)
{
	log_sender_destroy(fixture->sender);
	loop_destroy(fixture->loop);
}

static struct config_log target_fd(int fd)
{
	return (struct config_log){.kind = CONFIG_LOG_FD,
		.fd = fd,
		.facility = 16,
		.level_max = 7,
		.format = CONFIG_LOG_RAW,
		.length_max = 1024};
}

/* A datagram socket that listens at a unix path or at UDP's loopback. */
static int receiver_open(int family, struct config_log *ret_target)
{
	struct address *address = &ret_target->address;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	*ret_target = target_fd(-1);
	ret_target->kind = family == AF_UNIX ? CONFIG_LOG_UNIX : CONFIG_LOG_UDP;
	if (family == AF_UNIX) {
		address->local.sun_family = AF_UNIX;
		snprintf(address->local.sun_path, sizeof(address->local.sun_path), "/tmp/test-log-%d",
			getpid());
		address->len = sizeof(address->local);
		(void)unlink(address->local.sun_path);
	} else {
		address->v4.sin_family = AF_INET;
		address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address->len = sizeof(address->v4);
	}
	assert_int_equal(bind(fd, &address->any, address->len), 0);
	if (family != AF_UNIX)
		assert_int_equal(getsockname(fd, &address->any, &address->len), 0);
	return fd;
}

static void loop_settle(struct fixture *fixture)
{
	for (unsigned i = 0; i < 10; i++)
		loop_run_once(fixture->loop, 0);
}

static void expect_text(int fd, const char *expected)
{
	char text[4096];
	ssize_t len = read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	assert_string_equal(text, expected);
}

static void write_bytes(
	struct fixture *fixture, const struct config_log *target, const char *bytes, size_t len)
{
	const struct log_message message = {
		.targets = target, .level = LOG_LEVEL_INFO, .text = bytes, .len = len};
	log_ring_write(fixture->ring, &message);
}

static void write_line(struct fixture *fixture, const struct config_log *target, const char *line)
{
	write_bytes(fixture, target, line, strlen(line));
}

static void test_a_line_reaches_a_pipe(void **state)
{
	(void)state;
	int pipe_fds[2];
	struct fixture fixture = {0};
	fixture_open(&fixture);
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	struct config_log target = target_fd(pipe_fds[1]);
	write_line(&fixture, &target, "first");
	write_line(&fixture, &target, "second");
	loop_settle(&fixture);
	expect_text(pipe_fds[0], "first\nsecond\n");
	fixture_close(&fixture);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_lines_still_in_the_ring_are_sent_at_the_end(void **state)
{
	(void)state;
	int pipe_fds[2];
	struct fixture fixture = {0};
	fixture_open(&fixture);
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	struct config_log target = target_fd(pipe_fds[1]);
	write_line(&fixture, &target, "last words");
	fixture_close(&fixture);
	expect_text(pipe_fds[0], "last words\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_a_full_pipe_loses_lines_and_blocks_nobody(void **state)
{
	(void)state;
	int pipe_fds[2];
	char line[900];
	struct log_totals totals;
	struct fixture fixture = {0};
	fixture_open(&fixture);
	assert_int_equal(pipe(pipe_fds), 0);
	struct config_log target = target_fd(pipe_fds[1]);
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 200; i++) {
		write_bytes(&fixture, &target, line, sizeof(line));
		loop_run_once(fixture.loop, 0);
	}
	loop_settle(&fixture);
	log_sender_totals(fixture.sender, &totals);
	assert_int_equal(totals.lines, 200);
	assert_in_range(totals.send_errors, 1, 199);
	fixture_close(&fixture);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_a_full_ring_drops_and_counts(void **state)
{
	(void)state;
	char line[1000];
	struct log_totals totals;
	struct fixture fixture = {0};
	fixture_open(&fixture);
	struct config_log target = target_fd(open("/dev/null", O_WRONLY));
	memset(line, 'y', sizeof(line));
	for (unsigned i = 0; i < 300; i++)
		write_bytes(&fixture, &target, line, sizeof(line));
	log_sender_totals(fixture.sender, &totals);
	assert_in_range(totals.dropped, 20, 80);
	loop_settle(&fixture);
	log_sender_totals(fixture.sender, &totals);
	assert_int_equal(totals.lines + totals.dropped, 300);
	fixture_close(&fixture);
	close(target.fd);
}

static void datagrams_case(int family)
{
	struct config_log target;
	struct log_totals totals;
	struct fixture fixture = {0};
	int receiver = receiver_open(family, &target);
	fixture_open(&fixture);
	for (unsigned i = 0; i < 100; i++) {
		char line[32], expected[32];
		snprintf(line, sizeof(line), "line %u", i);
		snprintf(expected, sizeof(expected), "line %u\n", i);
		write_line(&fixture, &target, line);
		if (i % 5 != 4)
			continue;
		loop_settle(&fixture);
		for (unsigned k = i - 4; k <= i; k++) {
			snprintf(expected, sizeof(expected), "line %u\n", k);
			expect_text(receiver, expected);
		}
	}
	log_sender_totals(fixture.sender, &totals);
	assert_int_equal(totals.lines, 100);
	assert_int_equal(totals.send_errors, 0);
	fixture_close(&fixture);
	close(receiver);
	if (family == AF_UNIX)
		(void)unlink(target.address.local.sun_path);
}

static void test_datagrams_reach_udp(void **state)
{
	(void)state;
	datagrams_case(AF_INET);
}

static void test_datagrams_reach_a_unix_socket(void **state)
{
	(void)state;
	datagrams_case(AF_UNIX);
}

static void test_a_missing_target_is_counted(void **state)
{
	(void)state;
	struct config_log target = target_fd(-1);
	struct log_totals totals;
	struct fixture fixture = {0};
	log_set_stderr_level(-1);
	fixture_open(&fixture);
	target.kind = CONFIG_LOG_UNIX;
	target.address.local.sun_family = AF_UNIX;
	snprintf(target.address.local.sun_path, sizeof(target.address.local.sun_path), "/tmp/no-such-log-%d",
		getpid());
	target.address.len = sizeof(target.address.local);
	for (unsigned i = 0; i < 40; i++)
		write_line(&fixture, &target, "nobody reads this");
	loop_settle(&fixture);
	log_sender_totals(fixture.sender, &totals);
	assert_int_equal(totals.send_errors, 40);
	fixture_close(&fixture);
}

static void test_levels_choose_and_raise(void **state)
{
	(void)state;
	struct config_log target;
	struct fixture fixture = {0};
	int receiver = receiver_open(AF_INET, &target);
	fixture_open(&fixture);
	target.format = CONFIG_LOG_PRIORITY;
	target.level_max = LOG_LEVEL_NOTICE;
	target.level_min = LOG_LEVEL_WARNING;
	write_line(&fixture, &target, "too little");
	const struct log_message loud = {
		.targets = &target, .level = LOG_LEVEL_EMERG, .text = "too much", .len = 8};
	log_ring_write(fixture.ring, &loud);
	loop_settle(&fixture);
	expect_text(receiver, "<132>too much\n");
	fixture_close(&fixture);
	close(receiver);
}

static void test_lines_are_cut_and_clean(void **state)
{
	(void)state;
	struct config_log target;
	struct fixture fixture = {0};
	int receiver = receiver_open(AF_INET, &target);
	fixture_open(&fixture);
	target.length_max = 10;
	write_line(&fixture, &target, "a\nb\033[1mlong line");
	loop_settle(&fixture);
	expect_text(receiver, "a?b?[1mlo\n");
	fixture_close(&fixture);
	close(receiver);
}

static const struct {
	enum config_log_format format;
	bool has_host;
	const char *expected;
} headers[] = {
	{CONFIG_LOG_RFC3164, false, "<134>Nov 14 22:13:20 localhost tag[7]: "},
	{CONFIG_LOG_RFC3164, true, "<134>Nov 14 22:13:20 box tag[7]: "},
	{CONFIG_LOG_RFC5424, false, "<134>1 2023-11-14T22:13:20.123456+00:00 - tag 7 - - "},
	{CONFIG_LOG_RFC5424, true, "<134>1 2023-11-14T22:13:20.123456+00:00 box tag 7 - - "},
	{CONFIG_LOG_RAW, false, ""},
	{CONFIG_LOG_SHORT, false, "<6>"},
	{CONFIG_LOG_LOCAL, true, "<134>Nov 14 22:13:20 tag[7]: "},
	{CONFIG_LOG_PRIORITY, false, "<134>"},
	{CONFIG_LOG_TIMED, false, "<6>2023-11-14T22:13:20.123456+00:00 "},
	{CONFIG_LOG_ISO, false, "2023-11-14T22:13:20.123456+00:00 "},
};

static void test_every_format_has_its_header(void **state)
{
	(void)state;
	char text[LOG_HEADER_MAX];
	struct config_log target = target_fd(1);
	struct log_line line = {.wall_us = 1700000000123456, .level = LOG_LEVEL_INFO};
	for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
		struct config_global global = {
			.log_tag = "tag", .log_send_hostname = headers[i].has_host ? "box" : NULL};
		struct log_header header;
		log_header_init(&header, &global);
		header.pid = 7;
		target.format = headers[i].format;
		assert_int_equal(
			log_header_print(&header, &target, &line, text), strlen(headers[i].expected));
		assert_string_equal(text, headers[i].expected);
	}
}

static void *writer_run(void *context)
{
	struct fixture *fixture = context;
	static struct config_log target;
	target = target_fd(fixture->global.gid);
	for (unsigned i = 0; i < 20000; i++) {
		char line[64];
		int len = snprintf(line, sizeof(line), "%u%.*s", i, (int)(i % 40),
			"........................................");
		write_bytes(fixture, &target, line, (size_t)len);
	}
	return NULL;
}

/* Every line that was not dropped is read, in order, and the loop is woken for it. */
static void test_a_writing_thread_loses_no_wake_up(void **state)
{
	(void)state;
	pthread_t writer;
	struct log_totals totals = {0};
	struct fixture fixture = {0};
	char name[] = "/tmp/test-log-file-XXXXXX";
	int file = mkstemp(name);
	assert_true(file >= 0);
	(void)unlink(name);
	fixture_open(&fixture);
	fixture.global.gid = file;
	assert_int_equal(pthread_create(&writer, NULL, writer_run, &fixture), 0);
	while (totals.lines + totals.dropped < 20000) {
		loop_run_once(fixture.loop, 5000);
		log_sender_totals(fixture.sender, &totals);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	fixture_close(&fixture);
	FILE *lines = fdopen(file, "r");
	assert_non_null(lines);
	rewind(lines);
	char line[128];
	long last = -1;
	uint64_t count = 0;
	while (fgets(line, sizeof(line), lines)) {
		long number = strtol(line, NULL, 10);
		assert_true(number > last);
		last = number;
		count++;
	}
	assert_int_equal(count, totals.lines);
	(void)fclose(lines);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_reaches_a_pipe),
		cmocka_unit_test(test_lines_still_in_the_ring_are_sent_at_the_end),
		cmocka_unit_test(test_a_full_pipe_loses_lines_and_blocks_nobody),
		cmocka_unit_test(test_a_full_ring_drops_and_counts),
		cmocka_unit_test(test_datagrams_reach_udp),
		cmocka_unit_test(test_datagrams_reach_a_unix_socket),
		cmocka_unit_test(test_a_missing_target_is_counted),
		cmocka_unit_test(test_levels_choose_and_raise),
		cmocka_unit_test(test_lines_are_cut_and_clean),
		cmocka_unit_test(test_every_format_has_its_header),
		cmocka_unit_test(test_a_writing_thread_loses_no_wake_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
