/* A whole run: threads started, watched and joined; the report printed.  And the
 * same for a server alone. */
#pragma once

#include "options.h"
#include "worker.h"

/* Runs to the end and prints.  Returns the command's exit status. */
int run_load(const struct load_options *options, const struct workload *workload);
/* Serves until SIGINT, SIGTERM or --seconds. */
int run_server(const struct load_options *options);

/* The parts of it, for those who serve inside their own process: fills the run with threads
 * that serve, on *ret_place.  0, or an exit status after a sentence. */
int run_server_start(struct run *run, const struct load_options *options, struct place *ret_place) MUST_USE;
/* Ends the threads and frees all. */
void run_server_stop(struct run *run);
/* Like run_load() without the printing: *ret_run is to be given to run_release(). */
int run_load_do(
	struct run *run, const struct load_options *options, const struct workload *workload) MUST_USE;
void run_release(struct run *run);
