/* The command line of `splicebench watch`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "watch.h"

struct watch_options {
	pid_t pids[WATCH_PROCESSES_MAX];
	size_t pids_used;
	uint64_t seconds_us; /* UINT64_MAX: until a signal */
	uint64_t warmup_us;
	uint64_t every_us; /* 0: no samples */
	uint16_t port; /* 0: no queues */
	enum watch_source source;
	bool is_json, is_help;
};

enum { WATCH_OPTIONS_REASON_MAX = 200 };

/* Reads the arguments behind argv[0].  Returns 0, or -EINVAL with one sentence in
 * ret_reason (WATCH_OPTIONS_REASON_MAX bytes). */
int watch_options_parse(int argc, char **argv, struct watch_options *ret_options, char *ret_reason) MUST_USE;
/* The text of --help. */
extern const char watch_options_help[];
