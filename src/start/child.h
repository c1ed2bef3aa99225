/* A worker process of the master: started, told, found dead. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/list.h"
#include "loop/loop.h"
#include "net/socket_set.h"

enum child_state {
	CHILD_STARTING, /* it has not said yet that it serves */
	CHILD_SERVING,
	CHILD_LEAVING, /* told to finish */
};

/* What every worker is started with. */
struct child_plan {
	char **words; /* the master's own command line */
	char program[4096]; /* looked up anew each time, so that a newer one is an upgrade */
	struct rlimit files; /* the limit before the master raised its own */
};

struct child {
	struct list node;
	pid_t pid;
	unsigned generation; /* how many were started before it */
	enum child_state state;
	uint64_t started_ms;
	int channel;
	struct loop_watch watch;
	struct socket_set sockets; /* what it has sent of those it listens at */
};

/* From the command line's words, which must stay. */
void child_plan_init(struct child_plan *plan, char **words);
/* Starts the program and sends it the sockets.  Returns 0 or -errno with nothing left. */
int child_spawn(
	const struct child_plan *plan, const struct socket_set *held, struct child **ret_child) MUST_USE;
/* When it has ended and its watch is removed. */
void child_destroy(struct child *child);
