/* Compiled log-format strings: HAProxy's TCP variables. */
#pragma once

#include "base/status.h"
#include "base/text.h"
#include "log/record.h"

struct log_format;

/* Compiles once at start.  Returns 0, or -EINVAL with a sentence (which variable,
 * where; HTTP-only variables named as such) in ret_reason. */
int log_format_compile(
	const char *source, struct log_format **ret_format, char *ret_reason, size_t reason_size) MUST_USE;
void log_format_destroy(struct log_format *format);
/* Thread-safe; format is read only.  hostname and pid for %H and %pid. */
void log_format_render(const struct log_format *format, const struct log_record *record, struct text *text);
/* The format without option tcplog: "Connect from CI:CP to FI:FP (ft/TCP)" as HAProxy's. */
extern const char log_format_default[];
