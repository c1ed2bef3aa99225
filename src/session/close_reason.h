/* One table of reasons: log text, termination letter, metric label, whose fault. */
#pragma once

enum close_blame { BLAME_NOBODY, BLAME_CLIENT, BLAME_SERVER, BLAME_OPERATOR, BLAME_US };

enum close_reason {
	CLOSE_NONE,
#define X(name, letter, blame, words) CLOSE_##name,
#include "session/close_reason.def"
#undef X
	CLOSE_REASONS
};

struct close_reason_row {
	const char *label; /* for metrics: "CLIENT_RESET" */
	const char *words;
	char letter;
	enum close_blame blame;
};

const struct close_reason_row *close_reason_row(enum close_reason reason);
