/* The subcommand `splicebench watch`: waits, takes samples, prints. */
#include "command_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "report.h"
#include "samples.h"
#include "watch_options.h"

enum { REAL_DIGITS = 9, REFRESH_SHARE = 50 };

struct run {
	struct watch_options options;
	struct watch watch;
	struct samples samples;
	struct watch_report report;
	int signal_fd; /* readable at SIGINT or SIGTERM */
	bool is_output_broken;
};

static int complain(const char *text)
{
	fprintf(stderr, "splicebench watch: %s.\n", text);
	return 1;
}

static void line_write(struct run *run, json_t *object)
{
	if (object == NULL ||
		json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) != 0 ||
		putchar('\n') == EOF || fflush(stdout) != 0)
		run->is_output_broken = true;
	json_decref(object);
}

/* Waits until the moment, a signal, or the end of a process, whose last values are
 * then read at once.  False after a signal. */
static bool wait_until(struct run *run, uint64_t moment_us)
{
	struct pollfd fds[WATCH_PROCESSES_MAX + 1] = {{.fd = run->signal_fd, .events = POLLIN}};
	uint64_t now_us = clock_monotonic_us();
	uint64_t left_us = moment_us > now_us ? moment_us - now_us : 0;
	struct timespec timeout = {(time_t)(left_us / 1000000), (long)(left_us % 1000000) * 1000};
	for (size_t i = 0; i < run->watch.processes_used; i++) {
		const struct process *process = &run->watch.processes[i];
		fds[i + 1] =
			(struct pollfd){.fd = process->is_ended ? -1 : process->pid_fd, .events = POLLIN};
	}
	int ready = ppoll(fds, (nfds_t)run->watch.processes_used + 1, &timeout, NULL);
	if (ready > 0 && fds[0].revents != 0)
		return false;
	if (ready > 0)
		watch_refresh(&run->watch);
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Before the stretch begins.  False after a signal. */
static bool warm_up(struct run *run, uint64_t began_us)
{
	uint64_t begin_us = began_us + run->options.warmup_us;
	while (clock_monotonic_us() < begin_us)
		if (!wait_until(run, begin_us))
			return false;
	return true;
}

/* Takes a reading and returns when the next one is due.  Reading thousands of threads
 * takes long: then it is done more rarely, so that it costs a fiftieth of a CPU at most. */
static uint64_t refresh(struct watch *watch)
{
	uint64_t before_us = clock_monotonic_us();
	watch_refresh(watch);
	uint64_t after_us = clock_monotonic_us();
	uint64_t pause_us = (after_us - before_us) * REFRESH_SHARE;
	return after_us + (pause_us > WATCH_REFRESH_MS * 1000 ? pause_us : WATCH_REFRESH_MS * 1000);
}

/* From the start to the end of the stretch. */
static void watch_stretch(struct run *run)
{
	uint64_t started_us = clock_monotonic_us();
	uint64_t every_us = run->options.every_us;
	uint64_t end_us =
		run->options.seconds_us == UINT64_MAX ? UINT64_MAX : started_us + run->options.seconds_us;
	uint64_t sample_us = every_us == 0 ? UINT64_MAX : started_us + every_us;
	uint64_t refresh_us = started_us + WATCH_REFRESH_MS * 1000;
	while (!run->is_output_broken) {
		uint64_t now_us = clock_monotonic_us();
		if (now_us >= sample_us) {
			line_write(run, samples_take(&run->samples, &run->watch));
			/* A sample that comes too late is left out, not crowded in. */
			sample_us += every_us * (1 + (now_us - sample_us) / every_us);
		}
		if (now_us >= end_us)
			break;
		if (now_us >= refresh_us)
			refresh_us = refresh(&run->watch);
		if (!wait_until(run, earlier(earlier(end_us, refresh_us), sample_us)))
			break;
	}
}

static void report_write(struct run *run)
{
	if (run->options.is_json || run->options.every_us != 0) {
		line_write(run, watch_report_json(&run->report));
		return;
	}
	watch_report_print(&run->report, stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		run->is_output_broken = true;
}

static int run_watch(struct run *run, uint64_t began_us)
{
	bool is_going_on = warm_up(run, began_us);
	watch_start(&run->watch);
	if (run->options.every_us != 0)
		samples_start(&run->samples, &run->watch);
	if (is_going_on)
		watch_stretch(run);
	watch_stop(&run->watch, &run->report);
	if (!run->is_output_broken)
		report_write(run);
	return run->is_output_broken ? complain("standard output cannot be written") : 0;
}

/* SIGINT and SIGTERM end the stretch, even where the shell ignores them for what
 * runs behind; a reader that left is an error of write(2).  -1 when that fails. */
static int signals_open(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t ending;
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigprocmask(SIG_BLOCK, &ending, NULL) != 0)
		return -1;
	return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_all(struct run *run, uint64_t began_us)
{
	char reason[WATCH_REASON_MAX];
	int result = watch_init(
		&run->watch, run->options.pids, run->options.pids_used, run->options.source, reason);
	samples_init(&run->samples, &run->watch, result == 0 ? run->options.port : 0);
	int status = result < 0 ? complain(reason) : run_watch(run, began_us);
	samples_release(&run->samples);
	watch_release(&run->watch);
	return status;
}

int command_watch(int argc, char **argv)
{
	char reason[WATCH_OPTIONS_REASON_MAX];
	uint64_t began_us = clock_monotonic_us();
	struct watch_options options;
	/* Else the first file opened would take its place. */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return complain("standard output is closed");
	if (watch_options_parse(argc, argv, &options, reason) < 0) {
		fprintf(stderr, "splicebench watch: %s. Try 'splicebench watch --help'.\n", reason);
		return 2;
	}
	if (options.is_help)
		return fputs(watch_options_help, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
	FD_AUTO int signal_fd = signals_open();
	struct run *run = calloc(1, sizeof(*run));
	if (run == NULL || signal_fd < 0) {
		free(run);
		return complain("signals or memory could not be set up");
	}
	run->options = options;
	run->signal_fd = signal_fd;
	int status = run_all(run, began_us);
	free(run);
	return status;
}
