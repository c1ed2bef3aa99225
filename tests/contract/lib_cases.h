/* Runs cases of a contract on every engine and every kind of socket. */
#pragma once

#include "lib_line.h"

enum {
	CASE_TCP_ONLY = 1, /* the family must know resets and urgent data */
	CASE_NAMED_ONLY = 2, /* not for auto */
	CASE_PACKETS_TOO = 8, /* nothing in it is about what waits in the proxy */
	CASE_CARRIED_ONLY = 4, /* not for an engine that refuses the family */
};

struct engine_case {
	const char *name; /* a sentence */
	void (*run)(struct rig *rig);
	const struct rig_limits *limits; /* NULL: roomy ones */
	unsigned scope;
};

/* What main() returns. */
int engine_cases_run(const char *group, const struct engine_case *cases, size_t count);
