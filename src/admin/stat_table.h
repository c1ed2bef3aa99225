/* The columns of `show stat`, in HAProxy's order; the same rows give the metrics
 * page its per-proxy metrics and docs/metrics.md its tables. */
#pragma once

#include "admin/stat_object.h"
#include "admin/stat_value.h"

enum stat_source {
	STAT_FROM_FUNCTION,
	STAT_FROM_COUNTER, /* offset: summed over workers */
	STAT_FROM_MAXIMUM, /* offset: the highest of the workers' */
	STAT_FROM_ZERO, /* HAProxy prints a number here, for TCP always 0 */
	STAT_FROM_NOTHING, /* the column exists for its place only */
};

struct stat_column {
	const char *name;
	const char *tags; /* HAProxy's origin, nature and scope */
	unsigned kinds; /* enum stat_kind: who has it */
	enum stat_source source;
	enum stat_type type;
	const char *metric; /* name without prefix and kind; NULL: not on the metrics page */
	bool is_ms; /* the metric is in seconds */
	const char *sentence;
	size_t offset;
	void (*get)(const struct stat_object *object, uint64_t now_ms, struct stat_value *value);
};

extern const struct stat_column stat_columns[];
extern const size_t stat_columns_count;

/* now_ms: the control loop's.  STAT_NONE when this object has no such value. */
void stat_column_read(const struct stat_column *column, const struct stat_object *object, uint64_t now_ms,
	struct stat_value *ret_value);

/* "OPEN", "UP", "DOWN", … as in the status column. */
const char *stat_object_status(const struct stat_object *object);
