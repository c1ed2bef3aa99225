/* What a load says at its end: for people, or one JSON object. */
#pragma once

#include "histogram.h"
#include "options.h"
#include "tally.h"

struct report {
	const char *workload;
	const struct load_options *options;
	double seconds; /* measured */
	struct tally tally;
	const struct histogram *latency; /* nanoseconds */
	double user_s, system_s;
};

void report_print(const struct report *report);
