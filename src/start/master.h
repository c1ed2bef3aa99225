/* The master of -W: starts a worker process, holds its listening sockets, starts another
 * for a reload or when it dies, and never touches a connection. */
#pragma once

#include "base/status.h"
#include "net/socket_set.h"
#include "start/options.h"

struct master_options {
	char **words; /* the command line, for the workers */
	const struct options *options;
	int *ready_fd; /* of process_background_ready() */
	struct socket_set *held; /* sockets to begin with; taken over */
};

/* Runs until it is told to stop and the last worker has ended.  Signals are blocked before any
 * thread is made.  Returns 0, or -errno when no worker ever served. */
int master_run(const struct master_options *options) MUST_USE;
