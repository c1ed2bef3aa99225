/* Events of the process, for the operator: "[ALERT]    (pid) : message" to stderr
 * and to whatever sink the daemon sets (its log targets).  Layers below session
 * never call this; they return errors. */
#pragma once

#include "base/status.h"

/* syslog(3) severities, same numbers. */
enum log_level {
	LOG_LEVEL_EMERG,
	LOG_LEVEL_ALERT,
	LOG_LEVEL_CRIT,
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

typedef void log_sink(void *context, enum log_level level, const char *message);

void log_event(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* Least severe level printed to stderr; LOG_LEVEL_NOTICE at start.  -q sets ALERT, -D none (-1). */
void log_set_stderr_level(int level_max);
/* One sink; called from any thread, must not block.  NULL to unset. */
void log_set_sink(log_sink *sink, void *context);
/* What was reported at ALERT..NOTICE since start, newest last, bounded to 64 KiB
 * (`show startup-logs`).  Returns a heap copy the caller frees, or NULL. */
char *log_startup_copy(void);
void log_startup_end(void); /* stop recording */
