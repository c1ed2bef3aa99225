/* Runs of checks against a listening socket of our own. */
#include "check/probe.h"

#include "net_fixtures.h"

#include "base/clock.h"
#include "base/text.h"

enum { PASSES_MAX = 2000 };

struct rig {
	struct loop *loop;
	struct net_fixture server;
	struct probe_target target;
	struct probe probe;
	unsigned done;
	bool starts_again;
};

static struct rig rig;

static void on_done(struct probe *probe)
{
	assert_ptr_equal(probe, &rig.probe);
	rig.done++;
	if (rig.starts_again)
		probe_start(probe, &rig.target);
	rig.starts_again = false;
}

static int rig_open(void **state)
{
	(void)state;
	rig = (struct rig){.loop = loop_create()};
	assert_non_null(rig.loop);
	fixture_init(&rig.server, "127.0.0.1");
	assert_int_equal(fixture_open(&rig.server, 1), 0);
	rig.target = (struct probe_target){.script = "tcp-check",
		.address = fixture_target(&rig.server),
		.connect_ms = 5000,
		.exchange_ms = 5000};
	probe_init(&rig.probe, rig.loop, on_done);
	return 0;
}

static int rig_close(void **state)
{
	(void)state;
	probe_cancel(&rig.probe);
	fixture_close(&rig.server);
	loop_destroy(rig.loop);
	return 0;
}

static void run_until_done(unsigned count)
{
	for (unsigned i = 0; rig.done < count && i < PASSES_MAX; i++)
		loop_run_once(rig.loop, 10);
	assert_int_equal(rig.done, count);
}

/* The next connection of a check, accepted. */
static int peer_accept(void)
{
	int fd = -1;
	for (unsigned i = 0; fd < 0 && i < PASSES_MAX; i++) {
		loop_run_once(rig.loop, 1);
		fd = accept4(
			rig.server.frontend->listeners->sockets[0], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	assert_true(fd >= 0);
	return fd;
}

static struct config_check_step step_expect(const char *text, const struct config_check_step *next)
{
	return (struct config_check_step){.next = (struct config_check_step *)(uintptr_t)next,
		.kind = CONFIG_STEP_EXPECT,
		.number = 1,
		.text = text,
		.bytes = (const uint8_t *)text,
		.len = strlen(text),
		.received_min = -1,
		.ok = CHECK_L7_OK,
		.error = CHECK_L7_INVALID,
		.timeout = CHECK_L7_TIMEOUT};
}

static void a_connection_is_enough_and_nothing_stays_open(void **state)
{
	unsigned before = fixture_fds_open();
	(void)state;
	probe_start(&rig.probe, &rig.target);
	assert_int_equal(rig.done, 0);
	assert_true(probe_is_running(&rig.probe));
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L4_OK);
	assert_string_equal(rig.probe.result.text, "");
	assert_false(probe_is_running(&rig.probe));
	assert_int_equal(fixture_fds_open(), before);
}

static void a_refusal_is_told_later_and_in_words(void **state)
{
	(void)state;
	fixture_close(&rig.server);
	probe_start(&rig.probe, &rig.target);
	assert_int_equal(rig.done, 0);
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L4_PROBLEM);
	assert_string_equal(rig.probe.result.text, "Connection refused");
}

static void an_address_that_cannot_be_is_told_too(void **state)
{
	(void)state;
	rig.target.address = fixture_address("/tmp/test_probe.nowhere");
	probe_start(&rig.probe, &rig.target);
	assert_int_equal(rig.done, 0);
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L4_PROBLEM);
	assert_string_equal(rig.probe.result.text, "No such file or directory");
}

static void answers_may_come_in_pieces(void **state)
{
	const struct config_check_step last = step_expect("world", NULL),
				       first = step_expect("hello ", &last);
	(void)state;
	rig.target.steps = &first;
	probe_start(&rig.probe, &rig.target);
	int peer = peer_accept();
	for (const char *at = "well, hello world"; *at != '\0'; at++) {
		assert_int_equal(rig.done, 0);
		assert_int_equal(write(peer, at, 1), 1);
		loop_run_once(rig.loop, 100);
	}
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L7_OK);
	close(peer);
}

/* An answer is one to what was sent last. */
static void sending_forgets_what_came_before(void **state)
{
	const struct config_check_step last = step_expect("A", NULL);
	const struct config_check_step send = {.next = (struct config_check_step *)(uintptr_t)&last,
		.kind = CONFIG_STEP_SEND,
		.bytes = (const uint8_t *)"x",
		.len = 1};
	const struct config_check_step first = step_expect("A", &send);
	char byte = 0;
	(void)state;
	rig.target.steps = &first;
	rig.target.exchange_ms = 60;
	probe_start(&rig.probe, &rig.target);
	int peer = peer_accept();
	assert_int_equal(write(peer, "A", 1), 1);
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L7_TIMEOUT);
	assert_int_equal(read(peer, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(peer);
}

/* No more than the bound is kept, and that is then the whole. */
static void too_long_an_answer_is_judged_as_it_is(void **state)
{
	const struct config_check_step step = step_expect("never", NULL);
	static char bytes[4 * EXPECT_BYTES_MAX];
	(void)state;
	rig.target.steps = &step;
	memset(bytes, 'x', sizeof(bytes));
	probe_start(&rig.probe, &rig.target);
	int peer = peer_accept();
	(void)!write(peer, bytes, sizeof(bytes));
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L7_INVALID);
	assert_non_null(
		strstr(rig.probe.result.text, "did not come at step 1 of tcp-check (expect string 'never')"));
	close(peer);
}

static void silence_ends_in_time(void **state)
{
	const struct config_check_step step = step_expect("never", NULL);
	uint64_t began_ms = clock_monotonic_ms();
	(void)state;
	rig.target.steps = &step;
	rig.target.exchange_ms = 50;
	probe_start(&rig.probe, &rig.target);
	run_until_done(1);
	assert_int_equal(rig.probe.result.status, CHECK_L7_TIMEOUT);
	assert_in_range(rig.probe.result.duration_ms, 49, clock_monotonic_ms() - began_ms);
}

static void one_run_may_start_the_next(void **state)
{
	(void)state;
	rig.starts_again = true;
	probe_start(&rig.probe, &rig.target);
	run_until_done(2);
	assert_int_equal(rig.probe.result.status, CHECK_L4_OK);
}

static void nothing_follows_what_is_cancelled(void **state)
{
	const struct config_check_step step = step_expect("never", NULL);
	unsigned before = fixture_fds_open();
	(void)state;
	rig.target.steps = &step;
	probe_start(&rig.probe, &rig.target);
	probe_cancel(&rig.probe);
	probe_start(&rig.probe, &rig.target);
	close(peer_accept());
	probe_cancel(&rig.probe);
	probe_cancel(&rig.probe);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(rig.loop, 1);
	assert_int_equal(rig.done, 0);
	assert_int_equal(fixture_fds_open(), before);
}

static void what_is_shown_can_be_printed(void **state)
{
	char text[8];
	(void)state;
	probe_text_print((const uint8_t *)"a\"\n\xff\0b", 6, text, sizeof(text));
	assert_string_equal(text, "a'...b");
	probe_text_print((const uint8_t *)"0123456789", 10, text, sizeof(text));
	assert_string_equal(text, "0123456");
	probe_text_print((const uint8_t *)"", 0, text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)
	const struct CMUnitTest tests[] = {
		CASE(a_connection_is_enough_and_nothing_stays_open),
		CASE(a_refusal_is_told_later_and_in_words),
		CASE(an_address_that_cannot_be_is_told_too),
		CASE(answers_may_come_in_pieces),
		CASE(sending_forgets_what_came_before),
		CASE(too_long_an_answer_is_judged_as_it_is),
		CASE(silence_ends_in_time),
		CASE(one_run_may_start_the_next),
		CASE(nothing_follows_what_is_cancelled),
		cmocka_unit_test(what_is_shown_can_be_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
