/* What log_format.c and log_variables.c share: the rows of variables. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "log/record.h"

enum log_flag {
	LOG_FLAG_QUOTE = 1, /* Q: strings stand between double quotes */
	LOG_FLAG_HEX = 2, /* X: addresses, ports, %Ts, %rt and %pid in hexadecimal */
	LOG_FLAG_ESCAPE = 4, /* E: '"', '\' and ']' get a backslash */
};

/* What every variable of one rendering may ask for. */
struct log_render {
	const struct log_record *record;
	struct text *text;
	unsigned flags;
	uint64_t line_number; /* %lc */
};

struct log_variable {
	const char *name; /* without the percent sign; "[x]" for ours */
	void (*print)(const struct log_render *render);
};

/* The row with the name that is the first `len` bytes of text, or NULL. */
const struct log_variable *log_variable_find(const char *text, size_t len);
/* "HTTP" or "TLS" for a name that HAProxy has for those only, else NULL. */
const char *log_variable_foreign_kind(const char *text, size_t len);
/* The known variable nearest to the first `len` bytes of `text`, or NULL. */
const char *log_variable_nearest(const char *text, size_t len);

/* Asks the system for the names that %H and %pid print; call before rendering. */
void log_variables_prepare(void);
