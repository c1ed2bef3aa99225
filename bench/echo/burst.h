/* `splicebench burst`: sends a block to an echo server and times until all of it is
 * back, again and again.  The exchanges, their pattern and their statistics. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"
#include "base/status.h"

enum {
	BURST_SIZE_MIN = 1,
	BURST_SIZE_MAX = 64 * 1024 * 1024,
	BURST_COUNT_MAX = 1000000,
	BURST_STALL_MS = 2000, /* no byte moves for so long: the block has stalled */
	BURST_FAILURES_MAX = 10, /* after so many failed blocks the run ends */
};

enum burst_status {
	BURST_OK,
	BURST_CONNECT, /* no connection for this block */
	BURST_RESET,
	BURST_EARLY_END, /* the server closed before the echo was complete */
	BURST_PATTERN, /* wrong bytes, or more bytes than were sent */
	BURST_STALLED,
	BURST_STATUSES
};

struct burst_options {
	struct address to;
	const char *to_text, *csv;
	const char *congestion; /* NULL: the system's choice */
	size_t size;
	unsigned count, warmup;
	unsigned gap_us, settle_ms, busy_poll_us;
	double seconds; /* 0: no limit but count */
	bool is_verified, is_json;
};

struct burst_block {
	uint64_t latency_ns; /* 0 unless ok */
	enum burst_status status;
};

struct burst_run {
	struct burst_block *blocks; /* options.count of them */
	unsigned done; /* blocks measured, with failures; warm-up is not among them */
	uint64_t failures[BURST_STATUSES]; /* by status, warm-up's too; none is ok */
	uint64_t verified_bytes, wrong_bytes, extra_bytes;
	uint64_t first_wrong_offset; /* in its block; meaningful when wrong_bytes > 0 */
	unsigned reconnects;
	double elapsed_s;
	bool has_given_up; /* BURST_FAILURES_MAX was reached */
	const char *busy_poll_note; /* NULL: not asked for, or it works */
};

/* "ok", "connect", "reset", "early_end", "pattern", "stalled". */
const char *burst_status_name(enum burst_status status);

/* Runs warm-up and blocks; failures are counted, the connection is made anew
 * after each.  Returns 0, or -ENOMEM before anything was sent. */
int burst_run(const struct burst_options *options, struct burst_run *ret_run) MUST_USE;
/* NULL-safe for the half-built. */
void burst_run_release(struct burst_run *run);
/* The sum of all failures. */
uint64_t burst_failures(const struct burst_run *run);

/* Fills a buffer with the bytes that a stream has from `position` on.  Any
 * eight bytes at a multiple of eight are unlike those at every other. */
void burst_pattern_fill(char *buffer, size_t len, uint64_t position);
/* How many bytes of two buffers differ; *ret_first is the first's offset when
 * any does. */
size_t burst_pattern_compare(const char *sent, const char *received, size_t len, size_t *ret_first);

struct burst_statistics {
	size_t count;
	double min_us, median_us, average_us, deviation_us, p90_us, p99_us, max_us;
};

/* Sorts the values.  All fields are 0 without values; the deviation is the
 * population's, quantiles are by nearest rank, the median of an even count is
 * the middle. */
void burst_statistics_compute(uint64_t *latencies_ns, size_t count, struct burst_statistics *ret_statistics);

enum { BURST_BINS_MAX = 128 };

struct burst_bin {
	double from_us, to_us;
	uint64_t count;
};

/* Two bins an octave from the lowest to the highest of the sorted values; empty
 * ones between are kept.  Returns how many were written. */
size_t burst_bins_fill(
	const uint64_t *sorted_ns, size_t count, struct burst_bin ret_bins[static BURST_BINS_MAX]);

/* Prints the run as text or JSON, and writes the CSV file when one is asked for.
 * Returns 0 or a negative errno of the file's. */
int burst_report(const struct burst_options *options, const struct burst_run *run) MUST_USE;
