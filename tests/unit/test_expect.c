/* What servers may answer, and what is made of it: expect.c, http_answer.c and the
 * steps of protocols, as a configuration makes them. */
#include "check/expect.h"

#include "config_fixtures.h"

#include "base/status.h"
#include "check/http_answer.h"

enum { MET = EXPECT_MET, MORE = EXPECT_NEED_MORE, FAILED = EXPECT_FAILED };

#define HTTP "option httpchk\n http-check expect "

/* last: what the answer is once nothing more comes. */
static const struct {
	const char *lines; /* the first step that expects is looked at */
	const char *bytes;
	size_t len; /* 0: the bytes are text */
	int answer, last;
} cases[] = {
	{"tcp-check expect string +PONG", "", 0, MORE, FAILED},
	{"tcp-check expect string +PONG", "+PO", 0, MORE, FAILED},
	{"tcp-check expect string +PONG", "+PONG\r\n", 0, MET, MET},
	{"tcp-check expect string +PONG", "x\0y +PONG", 9, MET, MET},
	{"tcp-check expect ! string ERR", "fine", 0, MORE, MET},
	{"tcp-check expect !string ERR", "an ERR", 0, FAILED, FAILED},
	{"tcp-check expect !string ERR", "", 0, MORE, FAILED},
	{"tcp-check expect min-recv 0 string PONG", "x", 0, FAILED, FAILED},
	{"tcp-check expect min-recv 3 rstring ^ab", "ab", 0, MORE, MET},
	{"tcp-check expect min-recv 3 rstring ^ab", "abc", 0, MET, MET},
	{"tcp-check expect min-recv 3 rstring ^ab", "xyz", 0, FAILED, FAILED},
	{"tcp-check expect min-recv 3 ! string ERR", "fine", 0, MET, MET},
	{"tcp-check expect min-recv 99 string ab", "ab", 0, MET, MET},
	{"tcp-check expect rstring ^(2|3)..$", "204", 0, MET, MET},
	{"tcp-check expect rstring ^(2|3)..$", "504", 0, MORE, FAILED},
	{"tcp-check expect rstring (a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0, FAILED,
		FAILED},
	{"tcp-check expect binary 00ff", "a\0\xff", 3, MET, MET},
	{"tcp-check expect binary 00ff", "a\0", 2, MORE, FAILED},
	{"tcp-check expect rbinary ^4A..FF", "J\0\xff", 3, MET, MET},
	{"tcp-check expect rbinary ^4A..FF", "\xA4\xA0\x0F", 3, MORE, FAILED},
	{"option httpchk", "HTTP/1.1 200 OK\r\n", 0, MET, MET},
	{"option httpchk", "HTTP/1.1 399\r\n", 0, MET, MET},
	{"option httpchk", "HTTP/1.1 404 Not Found\r\n", 0, FAILED, FAILED},
	{"option httpchk", "HTTP/1.1 20", 0, MORE, FAILED},
	{"option httpchk", "SSH-2.0", 0, FAILED, FAILED},
	{"option httpchk", "HTTP/1.1 20x OK\r\n", 0, FAILED, FAILED},
	{"option httpchk", "HTTP/1.1 2000 OK\r\n", 0, FAILED, FAILED},
	{"option httpchk", "HTTP/1.1 099 OK\r\n", 0, FAILED, FAILED},
	{HTTP "status 204,400-404", "HTTP/1.0 403 No\n", 0, MET, MET},
	{HTTP "status 204,400-404", "HTTP/1.0 200 OK\n", 0, FAILED, FAILED},
	{HTTP "! status 500-599", "HTTP/1.0 200 OK\n", 0, MET, MET},
	{HTTP "! status 500-599", "HTTP/1.0 503 No\n", 0, FAILED, FAILED},
	{HTTP "rstatus ^20", "HTTP/1.0 204 OK\n", 0, MET, MET},
	{HTTP "rstatus ^20", "HTTP/1.0 304 OK\n", 0, FAILED, FAILED},
	{HTTP "string fine", "HTTP/1.0 200 fine\r\nX: fine\r\n", 0, MORE, FAILED},
	{HTTP "string fine", "HTTP/1.0 200 OK\r\n\r\nall is fine", 0, MET, MET},
	{HTTP "string fine", "HTTP/1.0 500 No\r\n\r\nall is fine", 0, MET, MET},
	{HTTP "string fine", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nbad", 0, FAILED, FAILED},
	{HTTP "string fine", "HTTP/1.0 200 OK\r\ncontent-length:  9\r\n\r\nbad", 0, MORE, FAILED},
	{HTTP "! string bad", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine", 0, MET, MET},
	{HTTP "rstring ^a.c$", "HTTP/1.0 200 OK\r\n\r\nabc", 0, MET, MET},
	{"option redis-check", "+PONG\r\n", 0, MET, MET},
	{"option redis-check", "-NOAUTH\r\n+PONG", 0, MORE, FAILED},
	{"option smtpchk", "220 mail\r\n", 0, MET, MET},
	{"option smtpchk", "220-mail\r\n220-b\r\n220 c\r\n", 0, MET, MET},
	{"option smtpchk", "220-mail\r\n2", 0, MORE, FAILED},
	{"option smtpchk", "554 no\r\n", 0, MORE, FAILED},
	{"option ldap-check", "0\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14, MET, MET},
	{"option ldap-check", "0\x84\0\0\0\x10\x02\x01\x01\x61\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00", 22,
		MET, MET},
	{"option ldap-check", "0\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00", 14, MORE, FAILED},
	{"option ssl-hello-chk", "\x16\x03\x03", 3, MET, MET},
	{"option ssl-hello-chk", "\x15\x03\x01", 3, MET, MET},
	{"option ssl-hello-chk", "HTTP/1.1 400", 0, MORE, FAILED},
	{"option pgsql-check user u", "R\0\0\0\x08\0\0\0\0", 9, MET, MET},
	{"option pgsql-check user u", "E\0\0\0\x08", 5, MORE, FAILED},
	{"option mysql-check",
		"J\0\0\0\x0a"
		"5.5",
		8, MET, MET},
	{"option mysql-check", "J\0\0\0\xff\x10\x04Too many", 15, MORE, FAILED},
};

static const struct config_check_step *expect_of(const struct config *config)
{
	const struct config_check_step *step = config->proxies->check.steps;
	while (step != NULL && step->kind != CONFIG_STEP_EXPECT)
		step = step->next;
	assert_non_null(step);
	return step;
}

/* Of a copy of exactly that size, so that a sanitizer sees what is read behind it. */
static int judge(const struct config_check_step *step, const char *bytes, size_t len, bool is_last)
{
	struct expect_report report;
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	const struct expect_view view = {copy, len, is_last};
	enum expect_answer answer = expect_judge(step, &view, &report);
	free(copy);
	assert_int_equal(answer == EXPECT_FAILED, report.reason != NULL);
	return (int)answer;
}

static void answers_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct config_fixture fixture;
		char text[512];
		size_t len = cases[i].len ? cases[i].len : strlen(cases[i].bytes);
		snprintf(text, sizeof(text),
			"listen l\n bind :1\n option tcp-check\n %s\n server s 1.2.3.4:1\n", cases[i].lines);
		const struct config_check_step *step = expect_of(config_fixture_accept(&fixture, text));
		int answer = judge(step, cases[i].bytes, len, false);
		int last = judge(step, cases[i].bytes, len, true);
		if (answer != cases[i].answer || last != cases[i].last)
			fail_msg("case %zu, %s on '%s': %d and %d", i, cases[i].lines, cases[i].bytes, answer,
				last);
		config_fixture_release(&fixture);
	}
}

static void the_code_of_http_is_told(void **state)
{
	static const char bytes[] = "HTTP/1.1 503 No\r\n";
	struct config_fixture fixture;
	struct expect_report report;
	const struct expect_view view = {(const uint8_t *)bytes, sizeof(bytes) - 1, false};
	(void)state;
	const struct config_check_step *step = expect_of(config_fixture_accept(
		&fixture, "listen l\n bind :1\n option httpchk\n server s 1.2.3.4:1\n"));
	assert_int_equal(expect_judge(step, &view, &report), EXPECT_FAILED);
	assert_int_equal(report.code, 503);
	assert_false(report.is_invalid);
	config_fixture_release(&fixture);
}

/* What is sent, byte for byte. */
static const struct {
	const char *lines, *bytes;
	size_t len;
} requests[] = {
	{"option httpchk", "OPTIONS / HTTP/1.0\r\nConnection: close\r\n\r\n", 0},
	{"option httpchk /up", "OPTIONS /up HTTP/1.0\r\nConnection: close\r\n\r\n", 0},
	{"option httpchk GET /up HTTP/1.1\\r\\nHost:\\ h",
		"GET /up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 0},
	{"option httpchk\n http-check send meth PUT uri /x ver HTTP/1.1 hdr Host h hdr connection x hdr Content-Length 9 body abc",
		"PUT /x HTTP/1.1\r\nHost: h\r\nconnection: x\r\nContent-Length: 3\r\n\r\nabc", 0},
	{"http-check send meth PUT uri /x\n option httpchk GET /y HTTP/1.1",
		"PUT /x HTTP/1.1\r\nConnection: close\r\n\r\n", 0},
	{"option redis-check", "*1\r\n$4\r\nPING\r\n", 0},
	{"option smtpchk", "HELO localhost\r\n", 0},
	{"option smtpchk EHLO me", "EHLO me\r\n", 0},
	{"option smtpchk what me", "HELO me\r\n", 0},
	{"option pgsql-check user pg", "\0\0\0\x11\0\x03\0\0user\0pg\0\0", 17},
	{"option mysql-check user my",
		"\x24\0\0\x01\x01\xa2\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0my\0\0\x01\0\0\0\x01",
		45},
	{"option ldap-check", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", 14},
};

static void requests_are_as_the_protocols_want(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		struct config_fixture fixture;
		char text[512];
		size_t len = requests[i].len ? requests[i].len : strlen(requests[i].bytes);
		snprintf(text, sizeof(text), "listen l\n bind :1\n %s\n server s 1.2.3.4:1\n",
			requests[i].lines);
		const struct config_check_step *step =
			config_fixture_accept(&fixture, text)->proxies->check.steps;
		while (step->kind != CONFIG_STEP_SEND)
			step = step->next;
		if (step->len != len || memcmp(step->bytes, requests[i].bytes, len) != 0)
			fail_msg("%s sends %zu bytes: %.*s", requests[i].lines, step->len, (int)step->len,
				(const char *)step->bytes);
		config_fixture_release(&fixture);
	}
}

/* Every length in a TLS hello fits what follows it. */
static void the_hello_of_tls_is_whole(void **state)
{
	struct config_fixture fixture;
	(void)state;
	const struct config_check_step *step = config_fixture_accept(
		&fixture, "listen l\n bind :1\n option ssl-hello-chk\n server s 1.2.3.4:1\n")
						       ->proxies->check.steps;
	const uint8_t *bytes = step->bytes;
	assert_int_equal(bytes[3] * 256 + bytes[4] + 5, step->len);
	assert_int_equal(bytes[7] * 256 + bytes[8] + 9, step->len);
	size_t at = 9 + 2 + 32 + 1;
	at += 2 + (size_t)(bytes[at] * 256 + bytes[at + 1]);
	at += 1 + (size_t)bytes[at];
	assert_int_equal(at + 2 + (size_t)(bytes[at] * 256 + bytes[at + 1]), step->len);
	config_fixture_release(&fixture);
}

/* A section's own lines take the place of those it inherited. */
static void rules_are_inherited_until_there_are_others(void **state)
{
	struct config_fixture fixture;
	(void)state;
	const struct config *config = config_fixture_accept(&fixture,
		"defaults d\n option tcp-check\n tcp-check send a\n tcp-check send b\n"
		"backend one from d\n server s 1.2.3.4:1\nbackend two from d\n tcp-check send c\n server s 1.2.3.4:1\n"
		"listen three from d\n bind :1\n server s 1.2.3.4:1\n");
	const struct config_proxy *proxy = config->proxies;
	assert_memory_equal(proxy->check.steps->bytes, "a", 1);
	assert_memory_equal(proxy->check.steps->next->bytes, "b", 1);
	assert_memory_equal(proxy->next->check.steps->bytes, "c", 1);
	assert_null(proxy->next->check.steps->next);
	assert_null(proxy->next->next->check.steps->next->next);
	config_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(the_code_of_http_is_told),
		cmocka_unit_test(requests_are_as_the_protocols_want),
		cmocka_unit_test(the_hello_of_tls_is_whole),
		cmocka_unit_test(rules_are_inherited_until_there_are_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
