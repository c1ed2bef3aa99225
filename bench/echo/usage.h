/* What the commands echo and burst share in reading their flags. */
#pragma once

#include <stdbool.h>

#include "base/address.h"
#include "base/status.h"

enum { USAGE_STATUS = 2 };

/* Prints "splicebench COMMAND: …. Try 'splicebench COMMAND --help'" to stderr
 * and returns USAGE_STATUS. */
int usage_refuse(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);
/* The refusal after getopt_long() returned '?' or ':' with optstring ":…". */
int usage_refuse_option(const char *command, int found, char **argv);

/* ADDR:PORT or [IPv6]:PORT.  On false *ret_reason is a static text. */
bool usage_parse_address(const char *text, struct address *ret_address, const char **ret_reason) MUST_USE;
/* The same, and port 0 for one that the kernel chooses. */
bool usage_parse_listen_address(
	const char *text, struct address *ret_address, const char **ret_reason) MUST_USE;
