/* What a load counted: one for each thread, added up for the report. */
#pragma once

#include <stdint.h>

enum load_error {
	LOAD_ERROR_CONNECT, /* no connection came about */
	LOAD_ERROR_RESET, /* it broke */
	LOAD_ERROR_EARLY_END, /* it ended before everything was there */
	LOAD_ERROR_PATTERN, /* a byte was wrong */
	LOAD_ERROR_STALLED, /* nothing moved for too long, or more waited than can be remembered */
};
enum { LOAD_ERROR_KINDS = 5 };

/* The counts up to `connections_done` are of the measured time, the others of the whole run. */
struct tally {
	uint64_t bytes, messages, connections_done;
	uint64_t late_sends, unanswered;
	uint64_t verified; /* by clients */
	uint64_t peer_verified; /* by servers: of this process, else as their verdicts say */
	uint64_t errors[LOAD_ERROR_KINDS];
};

void tally_merge(struct tally *tally, const struct tally *source);
uint64_t tally_errors(const struct tally *tally);
/* The key of the report and the words for people. */
const char *tally_error_key(enum load_error kind);
const char *tally_error_text(enum load_error kind);
