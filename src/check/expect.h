/* Whether what a server has sent is what a step of its check expects.  Pure. */
#pragma once

#include "config/config_check.h"

enum { EXPECT_BYTES_MAX = 16384 }; /* that are looked at */

struct expect_view {
	const uint8_t *bytes; /* since the last that was sent to the server */
	size_t len;
	bool is_last; /* nothing more will come, or there is no room for it */
};

enum expect_answer { EXPECT_MET, EXPECT_NEED_MORE, EXPECT_FAILED };

struct expect_report {
	unsigned code; /* of HTTP; 0: none */
	const char *reason; /* FAILED: a static sentence without full stop */
	bool is_invalid; /* FAILED: it was no answer of this protocol */
};

/* Never NEED_MORE of a last view. */
enum expect_answer expect_judge(const struct config_check_step *step, const struct expect_view *view,
	struct expect_report *ret_report) MUST_USE;
