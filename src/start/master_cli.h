/* The master's own runtime socket (-S): what runs, reloading, and a way to each worker's. */
#pragma once

#include "base/status.h"
#include "base/text.h"
#include "loop/loop.h"

struct master_cli;

/* What the commands ask for; on the loop's thread. */
struct master_cli_options {
	struct loop *loop;
	const char *path; /* of the unix socket; must stay */
	void (*show_processes)(struct text *out);
	void (*reload)(void); /* master_cli_reloaded() follows once */
	/* The channel to a worker: "1" for the one that serves, "!PID" for any; -1: there is none. */
	int (*worker_find)(const char *name);
};

/* Listens with mode 600, in place of a socket that nobody listens at.  Reports by log_event;
 * returns 0 or -errno. */
int master_cli_create(const struct master_cli_options *options, struct master_cli **ret_cli) MUST_USE;
/* A reload is over: answers who waits for it.  failure NULL: it went well.  NULL cli is allowed. */
void master_cli_reloaded(struct master_cli *cli, const char *failure);
/* Cuts clients off and removes the file; lets the loop make a last pass.  NULL is allowed. */
void master_cli_destroy(struct master_cli *cli);
