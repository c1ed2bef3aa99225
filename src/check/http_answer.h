/* The head of an answer of HTTP/1, as far as checks need it.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct http_answer {
	unsigned status; /* 100 to 599 and more, three digits */
	const uint8_t *reason; /* behind the status, in the bytes */
	size_t reason_len;
	bool has_head; /* the empty line has come; then: */
	const uint8_t *body;
	size_t body_len; /* of what has come */
	bool is_whole; /* as much of the body has come as Content-Length says */
};

enum http_answer_result { HTTP_ANSWER_OK, HTTP_ANSWER_NEED_MORE, HTTP_ANSWER_INVALID };

/* OK as soon as the status line is whole. */
enum http_answer_result http_answer_parse(
	const uint8_t *bytes, size_t len, struct http_answer *ret_answer) MUST_USE;
