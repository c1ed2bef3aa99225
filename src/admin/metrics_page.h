/* What the metrics listener serves, piece by piece: the Prometheus text, the same
 * values as JSON, and a page that says what there is. */
#pragma once

#include "admin/admin_internal.h"
#include "base/text.h"

enum metrics_page_kind { PAGE_METRICS, PAGE_STATS_JSON, PAGE_INDEX };

/* A place in a page.  All zero but admin and kind is the beginning. */
struct metrics_page {
	const struct admin *admin;
	enum metrics_page_kind kind;
	unsigned part;
	size_t row, object;
	bool is_begun, is_ended;
};

enum { METRICS_CHUNK_BYTES = 32 * 1024, METRICS_CHUNK_MAX = 128 * 1024 };

/* Adds the next lines, about METRICS_CHUNK_BYTES.  Returns false when the page is complete. */
bool metrics_page_fill(struct metrics_page *page, struct text_grow *out);

const char *metrics_page_type(enum metrics_page_kind kind);

/* The metrics that no column of show stat and no field of show info has. */
struct engine_metric {
	const char *name; /* behind spliced_relay_ */
	bool is_counter;
	size_t offset; /* in struct relay_engine_counters */
	const char *sentence;
};
extern const struct engine_metric engine_metrics[];
extern const size_t engine_metrics_count;
