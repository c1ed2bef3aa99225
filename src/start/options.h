/* The command line, HAProxy's flags where it has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

enum { OPTIONS_PATHS_MAX = 256, OPTIONS_PIDS_MAX = 64 };

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,
	OPTIONS_VERSION,
	OPTIONS_FACTS,
	OPTIONS_PROBE,
	OPTIONS_HELP,
	OPTIONS_REFERENCE,
	OPTIONS_METRICS
};

struct options {
	enum options_action action;
	const char *paths[OPTIONS_PATHS_MAX];
	size_t paths_count;
	const char *listen, *to, *relay;
	const char *pidfile, *directory, *local_name;
	unsigned maxconn;
	const char *sockets_path, *master_socket; /* -x, -S */
	bool is_daemon, is_foreground, is_quiet, is_verbose;
	bool is_master, has_notify; /* -W, -Ws */
	pid_t old_pids[OPTIONS_PIDS_MAX];
	unsigned old_pids_count;
	int old_pids_signal;
};

/* Returns 0, or -EINVAL after saying on stderr what is wrong. */
int options_parse(int count, char **words, struct options *ret_options) MUST_USE;
void options_print_help(void);
