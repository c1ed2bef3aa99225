/* The expressions of .if and .elif. */
#pragma once

#include <stdbool.h>

#include "base/status.h"
#include "config/environment.h"

/* The version of HAProxy whose language this is: what version_atleast() and
 * version_before() compare with. */
#define CONDITION_LANGUAGE_VERSION "2.6.0"

/* Terms: a number (0 is false), true, false, defined(NAME), feature(NAME),
 * enabled(NAME), streq(a,b), strneq(a,b), version_atleast(v), version_before(v);
 * joined by ||, &&, ! and parentheses.  Nothing at all is false.
 * Returns 0, or -EINVAL with a static reason. */
int condition_evaluate(const char *text, const struct environment *environment, bool *ret_value,
	const char **ret_reason) MUST_USE;
