/* The ways to look at an answer, one row each. */
#include "check/expect.h"

#include <string.h>

#include "base/check.h"
#include "base/pattern.h"
#include "check/http_answer.h"

enum sight { SEEN, NOT_SEEN, NOT_YET, TOO_DEAR, NOT_HTTP };

static enum sight sight_of(enum pattern_answer answer)
{
	switch (answer) {
	case PATTERN_MATCHES:
		return SEEN;
	case PATTERN_DIFFERS:
		return NOT_SEEN;
	case PATTERN_TOO_DEAR:
		return TOO_DEAR;
	}
	CHECK(false);
	return NOT_SEEN;
}

static enum sight find_bytes(const struct config_check_step *step, const uint8_t *bytes, size_t len)
{
	return len > 0 && memmem(bytes, len, step->bytes, step->len) != NULL ? SEEN : NOT_SEEN;
}

static enum sight find_hex(const struct config_check_step *step, const struct expect_view *view)
{
	static const char digits[] = "0123456789ABCDEF";
	static _Thread_local uint8_t hex[2 * EXPECT_BYTES_MAX];
	size_t len = view->len < EXPECT_BYTES_MAX ? view->len : EXPECT_BYTES_MAX;
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = (uint8_t)digits[view->bytes[i] >> 4];
		hex[2 * i + 1] = (uint8_t)digits[view->bytes[i] & 15];
	}
	return sight_of(pattern_match(step->pattern, hex, 2 * len));
}

static enum sight find_line(const struct expect_view *view)
{
	bool has_end = view->len > 0 &&
		(memchr(view->bytes, '\n', view->len) != NULL ||
			memchr(view->bytes, '\r', view->len) != NULL);
	return has_end ? SEEN : NOT_SEEN;
}

/* --- HTTP --- */

static bool is_in_ranges(const struct config_check_step *step, unsigned status)
{
	for (unsigned i = 0; i < step->ranges_count; i++) {
		if (status >= step->ranges[i].first && status <= step->ranges[i].last)
			return true;
	}
	return false;
}

static enum sight find_status(const struct config_check_step *step, unsigned status)
{
	if (step->match == CONFIG_MATCH_HTTP_STATUS)
		return is_in_ranges(step, status) ? SEEN : NOT_SEEN;
	const uint8_t digits[] = {(uint8_t)('0' + status / 100 % 10), (uint8_t)('0' + status / 10 % 10),
		(uint8_t)('0' + status % 10)};
	return sight_of(pattern_match(step->pattern, digits, sizeof(digits)));
}

static enum sight find_http(
	const struct config_check_step *step, struct expect_view *view, struct expect_report *report)
{
	struct http_answer answer;
	switch (http_answer_parse(view->bytes, view->len, &answer)) {
	case HTTP_ANSWER_OK:
		break;
	case HTTP_ANSWER_NEED_MORE:
		return view->is_last ? NOT_HTTP : NOT_YET;
	case HTTP_ANSWER_INVALID:
		return NOT_HTTP;
	}
	report->code = answer.status;
	if (step->match == CONFIG_MATCH_HTTP_STATUS || step->match == CONFIG_MATCH_HTTP_STATUS_PATTERN) {
		view->is_last = true;
		return find_status(step, answer.status);
	}
	if (!answer.has_head)
		return view->is_last ? NOT_SEEN : NOT_YET;
	view->is_last |= answer.is_whole;
	if (step->match == CONFIG_MATCH_HTTP_BYTES)
		return find_bytes(step, answer.body, answer.body_len);
	return sight_of(pattern_match(step->pattern, answer.body, answer.body_len));
}

static enum sight look(
	const struct config_check_step *step, struct expect_view *view, struct expect_report *report)
{
	switch (step->match) {
	case CONFIG_MATCH_BYTES:
		return find_bytes(step, view->bytes, view->len);
	case CONFIG_MATCH_LINE:
		return find_line(view);
	case CONFIG_MATCH_PATTERN:
		return sight_of(pattern_match(step->pattern, view->bytes, view->len));
	case CONFIG_MATCH_HEX_PATTERN:
		return find_hex(step, view);
	case CONFIG_MATCH_HTTP_STATUS:
	case CONFIG_MATCH_HTTP_STATUS_PATTERN:
	case CONFIG_MATCH_HTTP_BYTES:
	case CONFIG_MATCH_HTTP_PATTERN:
		return find_http(step, view, report);
	}
	CHECK(false);
	return NOT_SEEN;
}

/* Fewer bytes than were asked for; an exact text needs no more than itself. */
static bool is_too_short(const struct config_check_step *step, const struct expect_view *view)
{
	size_t wanted = step->received_min > 0 ? (size_t)step->received_min : 0;
	if (step->match == CONFIG_MATCH_BYTES && wanted > step->len)
		wanted = step->len;
	return view->len == 0 || view->len < wanted;
}

static enum expect_answer fail(struct expect_report *report, const char *reason)
{
	report->reason = reason;
	return EXPECT_FAILED;
}

enum expect_answer expect_judge(const struct config_check_step *step, const struct expect_view *view,
	struct expect_report *ret_report)
{
	struct expect_view own = *view;
	*ret_report = (struct expect_report){0};
	if (own.len == 0 && own.is_last) {
		ret_report->is_invalid = step->match >= CONFIG_MATCH_HTTP_STATUS;
		return fail(ret_report, "the server closed without an answer");
	}
	if (!own.is_last && is_too_short(step, &own))
		return EXPECT_NEED_MORE;
	switch (look(step, &own, ret_report)) {
	case SEEN:
		return step->is_negated ? fail(ret_report, "what must not come came") : EXPECT_MET;
	case NOT_YET:
		return EXPECT_NEED_MORE;
	case TOO_DEAR:
		return fail(ret_report, "the regular expression takes too long");
	case NOT_HTTP:
		ret_report->is_invalid = true;
		return fail(ret_report, "this is no answer of HTTP");
	case NOT_SEEN:
		if (!own.is_last && step->received_min < 0)
			return EXPECT_NEED_MORE;
		return step->is_negated ? EXPECT_MET : fail(ret_report, "what is expected did not come");
	}
	CHECK(false);
	return EXPECT_FAILED;
}
