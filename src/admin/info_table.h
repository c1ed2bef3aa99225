/* The values of `show info`: HAProxy's fields where they mean something here, in
 * its order, then ours.  The metrics page takes its process metrics from them. */
#pragma once

#include "admin/admin_internal.h"
#include "admin/stat_value.h"

struct info_field {
	const char *name;
	const char *tags;
	const char *metric; /* without prefix; NULL: not on the metrics page */
	const char *sentence;
	void (*get)(const struct admin *admin, struct stat_value *value);
	bool is_ours; /* HAProxy has no such metric: the prefix stays ours */
};

extern const struct info_field info_fields[];
extern const size_t info_fields_count;
