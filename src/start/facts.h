/* -v and -vv: version, and what this machine can run. */
#pragma once

void facts_print_version(void);
/* Version, build, and every engine with why it is unavailable if it is. */
void facts_print(void);
