/* The report and the end of a process that found its own mistake. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *expr, const char *file, int line, const char *function)
{
	dprintf(STDERR_FILENO, "[ALERT]    (%d) : internal error: '%s' does not hold in %s() at %s:%d\n",
		(int)getpid(), expr, function, file, line);
	abort();
}
