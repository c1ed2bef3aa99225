/* The subcommand `splicebench watch`. */
#pragma once

/* argv[0] is the subcommand's name.  Returns the exit status: 0, 1 when a process
 * cannot be watched or the report not be written, 2 for a wrong command line. */
int command_watch(int argc, char **argv);
