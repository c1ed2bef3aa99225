/* The table of what checks come to: names for operators, and what follows. */
#pragma once

#include "config/config_check.h"

/* HAProxy's numbers, which `show servers state` prints. */
enum check_result {
	CHECK_RESULT_UNKNOWN = 0,
	CHECK_RESULT_NEUTRAL = 1,
	CHECK_RESULT_FAILED = 2,
	CHECK_RESULT_PASSED = 3,
	CHECK_RESULT_CONDITIONAL = 4,
};

struct check_status_row {
	const char *name; /* in show stat */
	const char *sentence;
	enum check_result result;
	unsigned number; /* HAProxy's */
	bool has_code; /* what the server answered may have one */
};

const struct check_status_row *check_status_row(enum check_status status);
