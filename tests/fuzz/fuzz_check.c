/* Any bytes may be what a checked server answers, or what an agent says: every step of
 * every script comes to an answer, and what is there at the end is always judged. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "check/agent_answer.h"
#include "check/expect.h"
#include "check/http_answer.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 4096, PROXIES = 9 };

/* One backend for each script, and some rules that users might write. */
static const char text[] =
	"listen a\n bind :1\n option redis-check\n server s 1.2.3.4:1\n"
	"backend b\n option smtpchk\n server s 1.2.3.4:1\n"
	"backend c\n option ldap-check\n server s 1.2.3.4:1\n"
	"backend d\n option mysql-check user u\n server s 1.2.3.4:1\n"
	"backend e\n option pgsql-check user u\n server s 1.2.3.4:1\n"
	"backend f\n option ssl-hello-chk\n server s 1.2.3.4:1\n"
	"backend g\n option httpchk\n server s 1.2.3.4:1\n"
	"backend h\n option httpchk\n http-check expect string ok\n http-check expect ! rstring a+b\n"
	" http-check expect rstatus ^2\n http-check expect min-recv 9 ! status 300-399\n server s 1.2.3.4:1\n"
	"backend i\n option tcp-check\n tcp-check expect string +OK\n tcp-check expect min-recv 5 ! binary 0a0d\n"
	" tcp-check expect rstring ^(a|b)*c\n tcp-check expect min-recv 0 rbinary ^(..)*FF\n server s 1.2.3.4:1\n";

static const struct config *config_get(void)
{
	static struct config *config;
	static const char *const engines[] = {"auto", "copy", NULL};
	const struct config_text source = {"fuzz.cfg", text, sizeof(text) - 1};
	const struct config_options options = {.names = {engines}, .has_no_lookups = true};
	if (config == NULL)
		CHECK(config_load_text(&source, &options, &config) == 0);
	return config;
}

static void judge(const struct config_check_step *step, const uint8_t *bytes, size_t len)
{
	struct expect_view view = {bytes, len, false};
	struct expect_report report;
	enum expect_answer early = expect_judge(step, &view, &report);
	CHECK((early == EXPECT_FAILED) == (report.reason != NULL));
	view.is_last = true;
	enum expect_answer last = expect_judge(step, &view, &report);
	CHECK(last != EXPECT_NEED_MORE);
	CHECK(early == EXPECT_NEED_MORE || early == last);
	CHECK(report.code == 0 || (report.code >= 100 && report.code <= 999));
}

static void judge_all(const uint8_t *bytes, size_t len)
{
	unsigned proxies = 0;
	for (const struct config_proxy *proxy = config_get()->proxies; proxy != NULL; proxy = proxy->next) {
		proxies++;
		for (const struct config_check_step *step = proxy->check.steps; step != NULL;
			step = step->next) {
			if (step->kind == CONFIG_STEP_EXPECT)
				judge(step, bytes, len);
		}
	}
	CHECK(proxies == PROXIES);
}

/* A status line that is there stays what it is, and what is found lies within. */
static void check_http(const uint8_t *bytes, size_t len)
{
	struct http_answer whole, part;
	if (http_answer_parse(bytes, len, &whole) != HTTP_ANSWER_OK)
		return;
	CHECK(whole.reason == NULL ||
		(whole.reason >= bytes && whole.reason + whole.reason_len <= bytes + len));
	CHECK(!whole.has_head || (whole.body > bytes && whole.body + whole.body_len == bytes + len));
	for (size_t less = 0; less < len && less < 64; less++) {
		enum http_answer_result result = http_answer_parse(bytes, less, &part);
		CHECK(result != HTTP_ANSWER_INVALID);
		CHECK(result != HTTP_ANSWER_OK || part.status == whole.status);
	}
}

static void check_agent(const uint8_t *bytes, size_t len)
{
	struct agent_answer answer;
	if (!agent_answer_parse(bytes, len, &answer))
		return;
	CHECK(answer.reason == NULL ||
		(answer.reason > bytes && answer.reason + answer.reason_len < bytes + len));
	CHECK((answer.health != AGENT_HEALTH_SAME) == (answer.word != NULL));
	CHECK(answer.weight_percent <= 25600 && answer.maxconn <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len > INPUT_MAX)
		return 0;
	/* Of exactly that size, so that a sanitizer sees what is read behind it. */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	memcpy(copy, bytes, len);
	judge_all(copy, len);
	check_http(copy, len);
	check_agent(copy, len);
	free(copy);
	return 0;
}
