/* The command line.  getopt cannot do HAProxy's -sf PID PID …, so rows do. */

#include "start/options.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/lookup.h"

enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_NUMBER, VALUE_PIDS };

enum flag {
	FLAG_FILE,
	FLAG_CHECK,
	FLAG_DAEMON,
	FLAG_FOREGROUND,
	FLAG_DEBUG,
	FLAG_VERBOSE,
	FLAG_QUIET,
	FLAG_PIDFILE,
	FLAG_MAXCONN,
	FLAG_NAME,
	FLAG_DIRECTORY,
	FLAG_VERSION,
	FLAG_FACTS,
	FLAG_PROBE,
	FLAG_HELP,
	FLAG_FINISH,
	FLAG_TERMINATE,
	FLAG_LISTEN,
	FLAG_TO,
	FLAG_RELAY,
	FLAG_REFERENCE,
	FLAG_METRICS,
	FLAG_MASTER,
	FLAG_MASTER_NOTIFY,
	FLAG_SOCKETS,
	FLAG_MASTER_SOCKET,
};

static const struct option_row {
	const char *word, *long_word;
	enum flag flag;
	enum value_kind kind;
	const char *value_name, *sentence;
} rows[] = {
	{"-f", "--file", FLAG_FILE, VALUE_TEXT, "FILE|DIR", "read this configuration; may be repeated"},
	{"-c", "--check", FLAG_CHECK, VALUE_NONE, NULL, "check the configuration and exit with 0 or 1"},
	{"-D", "--daemon", FLAG_DAEMON, VALUE_NONE, NULL, "go to the background"},
	{"-db", "--foreground", FLAG_FOREGROUND, VALUE_NONE, NULL,
		"stay in the foreground whatever the file says"},
	{"-d", "--debug", FLAG_DEBUG, VALUE_NONE, NULL, "stay in the foreground and say more"},
	{"-V", "--verbose", FLAG_VERBOSE, VALUE_NONE, NULL, "say more"},
	{"-q", "--quiet", FLAG_QUIET, VALUE_NONE, NULL, "say nothing but what prevents the start"},
	{"-p", "--pidfile", FLAG_PIDFILE, VALUE_TEXT, "FILE", "write the process id here"},
	{"-n", "--maxconn", FLAG_MAXCONN, VALUE_NUMBER, "N", "connections at once in the whole process"},
	{"-L", "--localpeer", FLAG_NAME, VALUE_TEXT, "NAME", "this node's name"},
	{"-C", "--chdir", FLAG_DIRECTORY, VALUE_TEXT, "DIR", "change to this directory first"},
	{"-sf", "--soft-finish", FLAG_FINISH, VALUE_PIDS, "PID...",
		"once started, tell these processes to finish"},
	{"-st", "--terminate", FLAG_TERMINATE, VALUE_PIDS, "PID...",
		"once started, tell these processes to stop"},
	{"-W", "--master-worker", FLAG_MASTER, VALUE_NONE, NULL,
		"start a master, which starts a worker and replaces it for a reload"},
	{"-Ws", "--master-notify", FLAG_MASTER_NOTIFY, VALUE_NONE, NULL,
		"the same in the foreground, telling systemd (sd_notify)"},
	{"-S", "--master-socket", FLAG_MASTER_SOCKET, VALUE_TEXT, "PATH",
		"the master's runtime socket: show proc, reload, @1 ..."},
	{"-x", "--take-sockets", FLAG_SOCKETS, VALUE_TEXT, "SOCKET",
		"take the listening sockets over from the process behind this stats socket"},
	{"-v", "--version", FLAG_VERSION, VALUE_NONE, NULL, "print the version"},
	{"-vv", "--facts", FLAG_FACTS, VALUE_NONE, NULL,
		"print what this kernel can run, and why not what it cannot"},
	{NULL, "--probe", FLAG_PROBE, VALUE_NONE, NULL,
		"print what each engine needs, what of it is missing here, and the remedy"},
	{"-h", "--help", FLAG_HELP, VALUE_NONE, NULL, "print this"},
	{NULL, "--listen", FLAG_LISTEN, VALUE_TEXT, "ADDR", "quick start without a file: listen here"},
	{NULL, "--to", FLAG_TO, VALUE_TEXT, "ADDR[,ADDR...]", "quick start: relay to these servers"},
	{NULL, "--relay", FLAG_RELAY, VALUE_TEXT, "ENGINE", "quick start: the relay engine"},
	{NULL, "--print-reference", FLAG_REFERENCE, VALUE_NONE, NULL,
		"print the keyword chapters of spliced.cfg(5)"},
	{NULL, "--print-metrics", FLAG_METRICS, VALUE_NONE, NULL, "print the reference of the metrics"},
};

static int usage_error(const char *sentence, const char *word)
{
	log_event(LOG_LEVEL_ALERT, "%s '%s'; spliced -h lists the options", sentence, word);
	return -EINVAL;
}

static const struct option_row *row_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (rows[i].word != NULL && strcmp(rows[i].word, word) == 0)
			return &rows[i];
		if (rows[i].long_word != NULL && strcmp(rows[i].long_word, word) == 0)
			return &rows[i];
	}
	return NULL;
}

static int number_parse(const char *text, long max, long *ret_value)
{
	char *end = NULL;
	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 1 || value > max)
		return usage_error("not a sensible number:", text);
	*ret_value = value;
	return 0;
}

static int path_add(struct options *options, const char *path)
{
	if (options->paths_count == OPTIONS_PATHS_MAX)
		return usage_error("too many configuration files at", path);
	options->paths[options->paths_count++] = path;
	return 0;
}

static int unsupported(const char *word)
{
	return usage_error("this version does not have", word);
}

static int flag_apply_plain(struct options *options, const struct option_row *row)
{
	if (row->flag == FLAG_CHECK)
		options->action = OPTIONS_CHECK;
	else if (row->flag == FLAG_DAEMON)
		options->is_daemon = true;
	else if (row->flag == FLAG_FOREGROUND)
		options->is_foreground = true;
	else if (row->flag == FLAG_DEBUG)
		options->is_foreground = options->is_verbose = true;
	else if (row->flag == FLAG_VERBOSE)
		options->is_verbose = true;
	else if (row->flag == FLAG_QUIET)
		options->is_quiet = true;
	else if (row->flag == FLAG_MASTER)
		options->is_master = true;
	else if (row->flag == FLAG_MASTER_NOTIFY)
		options->is_master = options->has_notify = options->is_foreground = true;
	else if (row->flag == FLAG_VERSION)
		options->action = OPTIONS_VERSION;
	else if (row->flag == FLAG_FACTS)
		options->action = OPTIONS_FACTS;
	else if (row->flag == FLAG_PROBE)
		options->action = OPTIONS_PROBE;
	else if (row->flag == FLAG_HELP)
		options->action = OPTIONS_HELP;
	else if (row->flag == FLAG_REFERENCE)
		options->action = OPTIONS_REFERENCE;
	else if (row->flag == FLAG_METRICS)
		options->action = OPTIONS_METRICS;
	else
		return unsupported(row->word);
	return 0;
}

static int flag_apply_text(struct options *options, const struct option_row *row, const char *value)
{
	const struct {
		enum flag flag;
		const char **target;
	} targets[] = {
		{FLAG_PIDFILE, &options->pidfile},
		{FLAG_SOCKETS, &options->sockets_path},
		{FLAG_MASTER_SOCKET, &options->master_socket},
		{FLAG_NAME, &options->local_name},
		{FLAG_DIRECTORY, &options->directory},
		{FLAG_LISTEN, &options->listen},
		{FLAG_TO, &options->to},
		{FLAG_RELAY, &options->relay},
	};
	if (row->flag == FLAG_FILE)
		return path_add(options, value);
	for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
		if (targets[i].flag == row->flag) {
			*targets[i].target = value;
			return 0;
		}
	}
	return unsupported(row->word);
}

/* Takes the numbers that follow; returns how many words, or -EINVAL. */
static int pids_take(struct options *options, const struct option_row *row, int count, char **words)
{
	int taken = 0;
	options->old_pids_signal = row->flag == FLAG_FINISH ? SIGUSR1 : SIGTERM;
	while (taken < count && words[taken][0] != '-') {
		long pid = 0;
		if (number_parse(words[taken], INT_MAX, &pid) < 0 ||
			options->old_pids_count == OPTIONS_PIDS_MAX)
			return -EINVAL;
		options->old_pids[options->old_pids_count++] = (pid_t)pid;
		taken++;
	}
	return taken;
}

/* Applies one option; returns the words it took, or -EINVAL. */
static int option_take(struct options *options, const struct option_row *row, int count, char **words)
{
	long number = 0;
	if (row->kind == VALUE_NONE)
		return flag_apply_plain(options, row) < 0 ? -EINVAL : 1;
	if (row->kind == VALUE_PIDS) {
		int taken = pids_take(options, row, count - 1, words + 1);
		return taken < 0 ? taken : taken + 1;
	}
	if (count < 2)
		return usage_error("a value is missing after", words[0]);
	if (row->kind == VALUE_NUMBER) {
		if (number_parse(words[1], 100000000, &number) < 0)
			return -EINVAL;
		options->maxconn = (unsigned)number;
		return 2;
	}
	return flag_apply_text(options, row, words[1]) < 0 ? -EINVAL : 2;
}

static int combination_check(const struct options *options)
{
	bool needs_configuration = options->action == OPTIONS_RUN || options->action == OPTIONS_CHECK;
	bool is_quick = options->listen != NULL || options->to != NULL;
	if (!needs_configuration)
		return 0;
	if (is_quick && (options->listen == NULL || options->to == NULL))
		return usage_error("--listen and --to go together; missing is",
			options->listen == NULL ? "--listen" : "--to");
	if (is_quick && options->paths_count > 0)
		return usage_error("the quick start does not take a file:", options->paths[0]);
	if (options->relay != NULL && !is_quick)
		return usage_error("--relay belongs to the quick start; in a file write", "relay ENGINE");
	if (options->master_socket != NULL && !options->is_master)
		return usage_error("-S is for a master: -W or -Ws is missing beside", options->master_socket);
	if (!is_quick && options->paths_count == 0)
		return usage_error("no configuration: give one with", "-f FILE");
	return 0;
}

int options_parse(int count, char **words, struct options *ret_options)
{
	struct options *options = ret_options;
	memset(options, 0, sizeof(*options));
	for (int at = 1; at < count;) {
		if (strcmp(words[at], "--") == 0) {
			for (at++; at < count; at++) {
				if (path_add(options, words[at]) < 0)
					return -EINVAL;
			}
			break;
		}
		const struct option_row *row = row_find(words[at]);
		if (row == NULL)
			return usage_error("unknown option", words[at]);
		int taken = option_take(options, row, count - at, words + at);
		if (taken < 0)
			return -EINVAL;
		at += taken;
	}
	return combination_check(options);
}

void options_print_help(void)
{
	puts("Usage: spliced -f FILE [options]\n"
	     "       spliced --listen ADDR --to ADDR[,ADDR...] [--relay ENGINE]\n");
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (rows[i].sentence == NULL)
			continue;
		char words[64];
		snprintf(words, sizeof(words), "%s%s%s %s", rows[i].word != NULL ? rows[i].word : "",
			rows[i].word != NULL && rows[i].long_word != NULL ? ", " : "",
			rows[i].long_word != NULL ? rows[i].long_word : "",
			rows[i].value_name != NULL ? rows[i].value_name : "");
		printf("  %-28s %s\n", words, rows[i].sentence);
	}
	puts("\nSignals: USR1 finish (no new connections), TERM and INT stop, USR2 and HUP reload (-W).\n"
	     "Manual: spliced(8), configuration spliced.cfg(5), runtime socket splicectl(1).");
}
