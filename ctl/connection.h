/* One question to the runtime socket and its answer. */
#pragma once

#include "base/status.h"

struct control_options {
	const char *address; /* as in `stats socket`: a path, abns@name, or host:port */
	unsigned timeout_ms; /* for connecting and for each piece of the answer */
};

enum control_outcome {
	CONTROL_FINE,
	CONTROL_REFUSED, /* the answer is an error in words; it was printed */
	CONTROL_FAILED, /* no answer: a message was printed */
};

/* Sends one line and copies the answer to stdout while it comes. */
enum control_outcome control_ask(const struct control_options *options, const char *line) MUST_USE;

/* Whether an answer that begins so is an error. */
int control_is_refusal(const char *answer);
