/* A whole run; see run.h. */
#include "run.h"

#include "report.h"

#include "base/check.h"
#include "base/fd.h"

#include "now.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { FDS_BESIDE = 64, FDS_SERVER = 1000000, PROGRESS_MS = 1000, EXIT_ERRORS = 1 };

static int refuse(const char *what, int error)
{
	fprintf(stderr, "splicebench: %s: %s.\n", what, strerror(error));
	return EXIT_ERRORS;
}

static int fds_allow(const struct load_options *options)
{
	unsigned long ends = options->has_server ? 2 : 1;
	unsigned long wanted = options->connections * ends + options->threads * 2 + FDS_BESIDE;
	unsigned long allowed = fd_limit_raise(options->command == LOAD_SERVE ? FDS_SERVER : wanted);
	if (options->command == LOAD_SERVE || allowed >= wanted)
		return 0;
	fprintf(stderr,
		"splicebench: %u connections need %lu file descriptors and the limit is %lu: raise it (ulimit -n) "
		"or use fewer connections.\n",
		options->connections, wanted, allowed);
	return EXIT_ERRORS;
}

static int listener_open(struct run *run, struct place *place)
{
	char text[PLACE_TEXT_MAX];
	const char *what;
	int fd = place_listen(place, &what);
	if (fd >= 0) {
		run->listener = fd;
		run->serving = *place;
		return place_learn(fd, place) == 0 ? 0 : EXIT_ERRORS;
	}
	place_print(place, text);
	fprintf(stderr, "splicebench: cannot serve on %s%s%s: %s: %s%s.\n", text,
		place->netns[0] != '\0' ? " in the network namespace " : "", place->netns, what,
		strerror(-fd), fd == -EPERM ? " (this needs root or CAP_SYS_ADMIN)" : "");
	return EXIT_ERRORS;
}

static int workers_make(struct run *run)
{
	unsigned threads = run->options->threads;
	run->workers = calloc(threads, sizeof(*run->workers));
	if (run->workers == NULL)
		return refuse("making threads", ENOMEM);
	for (unsigned i = 0; i < threads; i++) {
		int status = load_worker_init(&run->workers[i], run, i);
		if (status != 0)
			return refuse("making threads", -status);
	}
	return 0;
}

static int run_make(struct run *run, const struct load_options *options, const struct workload *workload)
{
	*run = (struct run){
		.options = options, .workload = workload, .listener = -1, .file = -1, .notice = -1};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	(void)sigaction(SIGPIPE, &ignore, NULL);
	pattern_setup();
	int status = fds_allow(options);
	if (status != 0)
		return status;
	run->file = flow_file_create();
	if (run->file < 0)
		return refuse("making memory to send from", -run->file);
	run->notice = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return run->notice >= 0 ? 0 : refuse("making an eventfd", errno);
}

void run_release(struct run *run)
{
	for (unsigned i = 0; run->workers != NULL && i < run->options->threads; i++)
		load_worker_release(&run->workers[i]);
	free(run->workers);
	run->workers = NULL;
	if (run->listener >= 0)
		place_forget(&run->serving);
	fd_close(&run->listener);
	fd_close(&run->file);
	fd_close(&run->notice);
}

static int workers_start(struct run *run)
{
	for (unsigned i = 0; i < run->options->threads; i++) {
		int error = pthread_create(&run->workers[i].thread, NULL, worker_main, &run->workers[i]);
		if (error == 0)
			continue;
		/* Threads that run already would wait for the missing ones. */
		(void)refuse("starting threads", error);
		exit(EXIT_ERRORS);
	}
	return 0;
}

static void workers_join(struct run *run)
{
	for (unsigned i = 0; i < run->options->threads; i++)
		CHECK(pthread_join(run->workers[i].thread, NULL) == 0);
}

static void shown_sum(const struct run *run, uint64_t *ret_bytes, uint64_t *ret_messages)
{
	*ret_bytes = *ret_messages = 0;
	for (unsigned i = 0; i < run->options->threads; i++) {
		*ret_bytes += atomic_load_explicit(&run->workers[i].shown_bytes, memory_order_relaxed);
		*ret_messages += atomic_load_explicit(&run->workers[i].shown_messages, memory_order_relaxed);
	}
}

struct progress {
	bool is_shown;
	uint64_t at_ns, bytes, messages;
};

static void progress_print(const struct run *run, struct progress *progress)
{
	uint64_t now = now_ns(), start_ns = atomic_load(&run->start_ns), bytes, messages;
	double passed = start_ns != 0 && now > start_ns ? (double)(now - start_ns) / 1e9 : 0;
	double since = (double)(now - progress->at_ns) / 1e9;
	if (!progress->is_shown || since < 0.5)
		return;
	shown_sum(run, &bytes, &messages);
	fprintf(stderr, "\r%s %.0f of %.0f s: %.3f GB/s, %.0f messages/s   ",
		start_ns == 0 ? "connecting" : "running", passed,
		run->options->seconds + run->options->warmup_s,
		(double)(bytes - progress->bytes) / since / 1e9,
		(double)(messages - progress->messages) / since);
	progress->at_ns = now;
	progress->bytes = bytes;
	progress->messages = messages;
}

static void up_print(const struct run *run)
{
	const struct load_options *options = run->options;
	unsigned up = 0;
	for (unsigned i = 0; i < options->threads; i++)
		up += run->workers[i].ready_count;
	if (options->command != LOAD_IDLE || options->is_quiet)
		return;
	fprintf(options->is_json ? stderr : stdout, "%u connections were made\n", up);
	(void)fflush(stdout);
}

/* Returns when all workers are done. */
static void run_wait(struct run *run)
{
	bool is_up_told = false;
	struct pollfd fds[] = {{.fd = run->notice, .events = POLLIN},
		{.fd = run->options->is_held ? STDIN_FILENO : -1, .events = POLLIN}};
	struct progress progress = {.at_ns = now_ns(),
		.is_shown = isatty(STDERR_FILENO) && run->options->seconds > 2 && !run->options->is_quiet};
	while (atomic_load(&run->done_count) < run->options->threads) {
		char ignored[256];
		(void)poll(fds, 2, PROGRESS_MS);
		if ((fds[0].revents & POLLIN) != 0)
			(void)!read(run->notice, ignored, sizeof(uint64_t));
		if (fds[1].revents != 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) {
			atomic_store(&run->is_stopping, true);
			fds[1].fd = -1;
		}
		if (atomic_load(&run->start_ns) != 0 && !is_up_told) {
			is_up_told = true;
			up_print(run);
		}
		progress_print(run, &progress);
	}
	if (progress.is_shown)
		fputs("\r\033[K", stderr);
}

int run_load_do(struct run *run, const struct load_options *options, const struct workload *workload)
{
	int status = run_make(run, options, workload);
	if (status == 0 && options->has_server) {
		struct place server = options->server;
		status = listener_open(run, &server);
	}
	if (status == 0)
		status = workers_make(run);
	if (status == 0)
		status = workers_start(run);
	if (status != 0)
		return status;
	run_wait(run);
	workers_join(run);
	return 0;
}

static void usage_add(struct report *report, const struct rusage *usage, double sign)
{
	report->user_s += sign * ((double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6);
	report->system_s += sign * ((double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6);
}

static void worker_add(struct report *report, struct histogram *latency, const struct worker *worker)
{
	const struct tally *first = &worker->first.tally, *last = &worker->last.tally;
	struct tally tally = worker->tally;
	double seconds = 0;
	tally.bytes = tally.messages = tally.connections_done = 0;
	if (worker->first.at_ns != 0) {
		tally.bytes = last->bytes - first->bytes;
		tally.messages = last->messages - first->messages;
		tally.connections_done = last->connections_done - first->connections_done;
		seconds = (double)(worker->last.at_ns - worker->first.at_ns) / 1e9;
		usage_add(report, &worker->last.usage, 1);
		usage_add(report, &worker->first.usage, -1);
	}
	if (seconds > report->seconds)
		report->seconds = seconds;
	tally_merge(&report->tally, &tally);
	histogram_merge(latency, &worker->latency);
}

/* Of the threads' first findings the first of each kind is enough. */
static void complaints_print(const struct run *run)
{
	const char *fatal = atomic_load(&run->fatal);
	int connect_errno = 0;
	if (fatal != NULL)
		fprintf(stderr, "splicebench: %s.\n", fatal);
	for (unsigned i = 0; i < run->options->threads && connect_errno == 0; i++)
		connect_errno = run->workers[i].connect_errno;
	if (connect_errno != 0)
		fprintf(stderr, "splicebench: cannot connect: %s.\n", strerror(connect_errno));
	for (unsigned i = 0; i < run->options->threads; i++) {
		const struct worker *worker = &run->workers[i];
		if (!worker->first_bad.is_known)
			continue;
		fprintf(stderr, "splicebench: connection %u: the first wrong byte is at offset %llu, %s.\n",
			worker->first_bad.client, (unsigned long long)worker->first_bad.offset,
			worker->first_bad.is_up ? "on the way to the server" : "on the way to the client");
		return;
	}
}

static const char *workload_name(enum load_command command)
{
	static const char *const names[] = {[LOAD_SERVE] = "serve",
		[LOAD_BULK] = "bulk",
		[LOAD_PINGPONG] = "pingpong",
		[LOAD_CHURN] = "churn",
		[LOAD_IDLE] = "idle",
		[LOAD_DRIBBLE] = "dribble",
		[LOAD_INCAST] = "incast"};
	return names[command];
}

int run_load(const struct load_options *options, const struct workload *workload)
{
	static struct histogram latency;
	struct run run;
	struct report report = {
		.workload = workload_name(options->command), .options = options, .latency = &latency};
	int status = run_load_do(&run, options, workload);
	if (status == 0) {
		for (unsigned i = 0; i < options->threads; i++)
			worker_add(&report, &latency, &run.workers[i]);
		complaints_print(&run);
		report_print(&report);
		bool is_bad = tally_errors(&report.tally) > 0 || atomic_load(&run.fatal) != NULL;
		status = is_bad ? EXIT_ERRORS : 0;
	}
	run_release(&run);
	return status;
}

int run_server_start(struct run *run, const struct load_options *options, struct place *ret_place)
{
	struct place place = options->listen;
	int status = run_make(run, options, NULL);
	if (status == 0)
		status = listener_open(run, &place);
	if (status == 0)
		status = workers_make(run);
	if (status == 0)
		status = workers_start(run);
	if (status == 0)
		*ret_place = place;
	return status;
}

void run_server_stop(struct run *run)
{
	atomic_store(&run->is_stopping, true);
	workers_join(run);
	run_release(run);
}

/* Blocked before threads start, so that the signals come here. */
static int signals_open(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void server_summarize(const struct run *run)
{
	struct tally sum = {0};
	for (unsigned i = 0; i < run->options->threads; i++)
		tally_merge(&sum, &run->workers[i].tally);
	printf(run->options->is_json ? "{\"workload\": \"serve\", \"verified_bytes\": %llu}\n"
				     : "served; %llu bytes were verified\n",
		(unsigned long long)sum.peer_verified);
}

int run_server(const struct load_options *options)
{
	struct run run;
	struct place place;
	char text[PLACE_TEXT_MAX];
	FD_AUTO int signals = signals_open();
	if (signals < 0)
		return refuse("waiting for signals", errno);
	int status = run_server_start(&run, options, &place);
	if (status != 0) {
		run_release(&run);
		return status;
	}
	place_print(&place, text);
	fprintf(options->is_json ? stderr : stdout, "ready %s\n", text);
	(void)fflush(stdout);
	struct pollfd fd = {.fd = signals, .events = POLLIN};
	(void)poll(&fd, 1, options->has_seconds ? (int)(options->seconds * 1e3) : -1);
	atomic_store(&run.is_stopping, true);
	workers_join(&run);
	server_summarize(&run);
	run_release(&run);
	return 0;
}
