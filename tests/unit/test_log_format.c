/* log_format.c and log_variables.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/status.h"
#include "config/config.h"
#include "log/log_format.h"

static struct log_record record_make(void)
{
	struct log_record record = {
		.id = 42,
		.accepted_wall_us = 1700000000123456,
		.frontend = "front",
		.listener = "sock-1",
		.backend = "back",
		.server_name = "one",
		.wait_ms = 1,
		.connect_ms = 2,
		.total_ms = 33,
		.bytes_in = 10,
		.bytes_out = 20,
		.end_cause = '-',
		.end_phase = '-',
		.end_reason = "both sides closed in order",
		.engine_in = "copy",
		.engine_out = "splice",
		.authority = {(const uint8_t *)"a.example\n\"#\x7f\xff", 14},
		.packets_in = 11,
		.packets_out = 12,
		.retransmits_in = 13,
		.retransmits_out = 14,
		.actconn = 5,
		.feconn = 4,
		.beconn = 3,
		.srvconn = 2,
		.retries = 1,
		.srv_queue = 7,
		.backend_queue = 8,
	};
	record.client = (struct endpoint){.family = AF_INET, .port = 1000, .ip = {192, 0, 2, 1}};
	record.frontend_local = (struct endpoint){.family = AF_INET, .port = 80, .ip = {192, 0, 2, 2}};
	record.server = (struct endpoint){.family = AF_INET6, .port = 5432, .ip = {[15] = 1}};
	return record;
}

static void expect_rendered(const char *format, const struct log_record *record, const char *expected)
{
	char reason[256] = "", line[512];
	struct log_format *compiled = NULL;
	struct text text;
	if (log_format_compile(format, &compiled, reason, sizeof(reason)) != 0)
		fail_msg("%s does not compile: %s", format, reason);
	text_init(&text, line, sizeof(line));
	log_format_render(compiled, record, &text);
	assert_string_equal(line, expected);
	log_format_destroy(compiled);
}

static const struct {
	const char *name, *format, *expected;
} renderings[] = {
	{"the default line is HAProxy's", log_format_default,
		"Connect from 192.0.2.1:1000 to 192.0.2.2:80 (front/TCP)"},
	{"the line of option tcplog is HAProxy's", CONFIG_LOG_FORMAT_TCP,
		"192.0.2.1:1000 [14/Nov/2023:22:13:20.123] front back/one 1/2/33 20 -- 5/4/3/2/1 7/8"},
	{"an IPv6 address has no brackets", "%si:%sp", "::1:5432"},
	{"an unknown address is a dash", "%bi:%bp", "-:-"},
	{"flag X prints addresses and ports in hexadecimal", "%{+X}ci:%{+X}cp", "C0000201:03E8"},
	{"flag Q quotes strings and no numbers", "%{+Q}f %{+Q}Tt", "\"front\" 33"},
	{"%o sets flags for all that follow", "%{+Q}o %f %b", " \"front\" \"back\""},
	{"a flag can be taken away again", "%{+Q}o%f%{-Q}b", "\"front\"back"},
	{"two percent signs are one", "100%% %f", "100% front"},
	{"dates are printed in four ways", "%T|%Ts|%ms", "14/Nov/2023:22:13:20 +0000|1700000000|123"},
	{"data time is the rest of the total", "%Td", "30"},
	{"our own variables stand in brackets", "%[id] %[engine_in]/%[engine_out] %[reason]",
		"42 copy/splice both sides closed in order"},
	{"packets have both directions", "%[packets_in] %[packets_out] %[retransmits_in] %[retransmits_out]",
		"11 12 13 14"},
	{"bytes from outside are written out where a line cannot hold them", "%[fc_pp_authority]",
		"a.example#0A\"#23#7F#FF"},
	{"bytes from outside that did not come are a dash", "%[fc_pp_unique_id]", "-"},
	{"bytes have both directions", "%U %B", "10 20"},
	{"text may follow a variable at once", "a%f-b", "afront-b"},
	{"an empty format is an empty line", "", ""},
};

static void test_variables_are_printed(void **state)
{
	(void)state;
	struct log_record record = record_make();
	for (size_t i = 0; i < ARRAY_LENGTH(renderings); i++) {
		print_message("  %s\n", renderings[i].name);
		expect_rendered(renderings[i].format, &record, renderings[i].expected);
	}
}

static void test_phases_that_were_not_reached_are_minus_one(void **state)
{
	(void)state;
	struct log_record record = record_make();
	record.backend = NULL;
	record.server_name = NULL;
	record.wait_ms = record.connect_ms = LOG_TIME_NONE;
	expect_rendered("%b/%s %Tw/%Tc/%Tt %Td", &record, "front/<NOSRV> -1/-1/33 -1");
}

static void test_early_and_redispatched_sessions_are_marked(void **state)
{
	(void)state;
	struct log_record record = record_make();
	record.is_early = record.is_redispatched = true;
	expect_rendered("%Tt %B %rc", &record, "+33 +20 +1");
}

static void test_flag_e_escapes_what_rfc5424_needs(void **state)
{
	(void)state;
	struct log_record record = record_make();
	record.frontend = "a\"b\\c]";
	expect_rendered("%{+E}f", &record, "a\\\"b\\\\c\\]");
}

static void test_lines_are_counted(void **state)
{
	(void)state;
	char reason[64], line[64];
	struct log_format *format = NULL;
	struct log_record record = record_make();
	struct text text;
	assert_int_equal(log_format_compile("%lc", &format, reason, sizeof(reason)), 0);
	for (unsigned i = 1; i <= 3; i++) {
		char expected[8];
		snprintf(expected, sizeof(expected), "%u", i);
		text_init(&text, line, sizeof(line));
		log_format_render(format, &record, &text);
		assert_string_equal(line, expected);
	}
	log_format_destroy(format);
}

static const struct {
	const char *name, *format, *reason;
} refusals[] = {
	{"HTTP variables are named as such", "%ci %HU", "HTTP"},
	{"TLS variables are named as such", "%sslv", "TLS"},
	{"the unique id is refused", "%ID", "unique-id"},
	{"an unknown variable has a suggestion", "%cj", "did you mean '%ci'"},
	{"a longer word is not taken for a shorter one", "%bogus", "unknown variable"},
	{"an unknown expression is refused", "%[src]", "unknown variable '%[src]'"},
	{"an open bracket is refused", "%[reason", "unknown variable"},
	{"a lone percent sign is refused", "50 %", "must follow"},
	{"an unknown flag is refused", "%{+Z}f", "unknown flag"},
	{"flags without sign are refused", "%{Q}f", "flags are written"},
	{"flags that do not end are refused", "%{+Q", "flags are written"},
	{"the place is told", "abc %cj", "at character 6"},
};

static void test_mistakes_are_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		char reason[256] = "";
		struct log_format *format = NULL;
		print_message("  %s\n", refusals[i].name);
		assert_int_equal(
			log_format_compile(refusals[i].format, &format, reason, sizeof(reason)), -EINVAL);
		if (!strstr(reason, refusals[i].reason))
			fail_msg("'%s' does not say '%s'", reason, refusals[i].reason);
	}
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables_are_printed),
		cmocka_unit_test(test_phases_that_were_not_reached_are_minus_one),
		cmocka_unit_test(test_early_and_redispatched_sessions_are_marked),
		cmocka_unit_test(test_flag_e_escapes_what_rfc5424_needs),
		cmocka_unit_test(test_lines_are_counted),
		cmocka_unit_test(test_mistakes_are_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
