/* The table of statuses; names, sentences and numbers are those of HAProxy's statistics. */
#include "check/check_status.h"

#include "base/check.h"

static const struct check_status_row rows[CHECK_STATUSES] = {
	[CHECK_UNKNOWN] = {"UNK", "Unknown", CHECK_RESULT_UNKNOWN, 0, false},
	[CHECK_INITIAL] = {"INI", "Initializing", CHECK_RESULT_UNKNOWN, 1, false},
	[CHECK_OBSERVED] = {"HANA", "Health analyze", CHECK_RESULT_FAILED, 4, false},
	[CHECK_SOCKET_ERROR] = {"SOCKERR", "Socket error", CHECK_RESULT_FAILED, 5, false},
	[CHECK_L4_OK] = {"L4OK", "Layer4 check passed", CHECK_RESULT_PASSED, 6, false},
	[CHECK_L4_TIMEOUT] = {"L4TOUT", "Layer4 timeout", CHECK_RESULT_FAILED, 7, false},
	[CHECK_L4_PROBLEM] = {"L4CON", "Layer4 connection problem", CHECK_RESULT_FAILED, 8, false},
	[CHECK_L6_OK] = {"L6OK", "Layer6 check passed", CHECK_RESULT_PASSED, 9, false},
	[CHECK_L6_TIMEOUT] = {"L6TOUT", "Layer6 timeout", CHECK_RESULT_FAILED, 10, false},
	[CHECK_L6_INVALID] = {"L6RSP", "Layer6 invalid response", CHECK_RESULT_FAILED, 11, false},
	[CHECK_L7_TIMEOUT] = {"L7TOUT", "Layer7 timeout", CHECK_RESULT_FAILED, 12, false},
	[CHECK_L7_INVALID] = {"L7RSP", "Layer7 invalid response", CHECK_RESULT_FAILED, 13, false},
	[CHECK_L7_OK] = {"L7OK", "Layer7 check passed", CHECK_RESULT_PASSED, 15, true},
	[CHECK_L7_CONDITIONAL] = {"L7OKC", "Layer7 check conditionally passed", CHECK_RESULT_CONDITIONAL, 16,
		true},
	[CHECK_L7_WRONG] = {"L7STS", "Layer7 wrong status", CHECK_RESULT_FAILED, 17, true},
};

const struct check_status_row *check_status_row(enum check_status status)
{
	CHECK(status < CHECK_STATUSES);
	return &rows[status];
}
