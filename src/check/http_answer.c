/* Reading the head of an HTTP answer: RFC 9112, the status line and Content-Length. */
#include "check/http_answer.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"

enum { LENGTH_DIGITS_MAX = 12 };

/* "HTTP/1.1 200": a digit where the pattern has 'd'. */
static const char status_line[] = "HTTP/d.d ddd";

static bool fits(uint8_t byte, char expected)
{
	return expected == 'd' ? byte >= '0' && byte <= '9' : byte == (uint8_t)expected;
}

static enum http_answer_result status_parse(
	const uint8_t *bytes, size_t line_len, bool has_end, struct http_answer *answer)
{
	const size_t fixed = sizeof(status_line) - 1;
	for (size_t i = 0; i < fixed && i < line_len; i++) {
		if (!fits(bytes[i], status_line[i]))
			return HTTP_ANSWER_INVALID;
	}
	if (!has_end)
		return HTTP_ANSWER_NEED_MORE;
	if (line_len < fixed || (line_len > fixed && bytes[fixed] != ' '))
		return HTTP_ANSWER_INVALID;
	for (size_t i = fixed - 3; i < fixed; i++)
		answer->status = answer->status * 10 + (unsigned)(bytes[i] - '0');
	if (line_len > fixed + 1) {
		answer->reason = bytes + fixed + 1;
		answer->reason_len = line_len - fixed - 1;
	}
	return answer->status >= 100 ? HTTP_ANSWER_OK : HTTP_ANSWER_INVALID;
}

/* The value of "Content-Length: 12"; false for every other line. */
static bool length_parse(const uint8_t *line, size_t len, size_t *ret_length)
{
	static const char name[] = "content-length:";
	size_t at = sizeof(name) - 1, value = 0, digits = 0;
	if (len < at || strncasecmp((const char *)line, name, at) != 0)
		return false;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	for (; at < len && line[at] >= '0' && line[at] <= '9'; at++, digits++)
		value = digits < LENGTH_DIGITS_MAX ? value * 10 + (size_t)(line[at] - '0') : SIZE_MAX;
	*ret_length = value;
	return digits > 0;
}

/* Lines end in LF, with or without CR. */
static size_t line_len(const uint8_t *line, const uint8_t *end)
{
	size_t len = (size_t)(end - line);
	return len > 0 && line[len - 1] == '\r' ? len - 1 : len;
}

static void headers_read(const uint8_t *at, const uint8_t *bytes_end, struct http_answer *answer)
{
	size_t length = SIZE_MAX;
	const uint8_t *end;
	while (at < bytes_end && (end = memchr(at, '\n', (size_t)(bytes_end - at))) != NULL) {
		size_t len = line_len(at, end);
		if (len == 0) {
			answer->has_head = true;
			answer->body = end + 1;
			answer->body_len = (size_t)(bytes_end - answer->body);
			answer->is_whole = answer->body_len >= length;
			return;
		}
		length_parse(at, len, &length);
		at = end + 1;
	}
}

enum http_answer_result http_answer_parse(const uint8_t *bytes, size_t len, struct http_answer *ret_answer)
{
	struct http_answer answer = {0};
	const uint8_t *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
	size_t first_len = end != NULL ? line_len(bytes, end) : len;
	enum http_answer_result result = status_parse(bytes, first_len, end != NULL, &answer);
	if (result != HTTP_ANSWER_OK)
		return result;
	/* OK only once the line has its end. */
	CHECK(end != NULL);
	headers_read(end + 1, bytes + len, &answer);
	*ret_answer = answer;
	return HTTP_ANSWER_OK;
}
