/* spliced: flags, configuration, listeners, privileges, threads; then the control
 * loop until a signal ends it. */

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "relay/engine.h"
#include "start/facts.h"
#include "start/options.h"
#include "start/probe.h"
#include "start/process.h"
#include "worker/instance.h"

struct program {
	struct options options;
	struct config *config;
	struct loop *loop;
	struct instance *instance;
	struct admin *admin;
	struct loop_watch signal_watch;
	struct loop_timer hard_stop_timer;
	int signal_fd, ready_fd;
};

static struct program program = {.signal_fd = -1, .ready_fd = -1};

static int configuration_load(void)
{
	struct options *options = &program.options;
	struct config_options load = {
		.paths = options->paths,
		.paths_count = options->paths_count,
		.listen = options->listen,
		.to = options->to,
		.relay = options->relay,
		.names = {.engines = relay_engine_names()},
	};
	int result = config_load(&load, &program.config);
	if (result < 0)
		return result;
	CHECK(program.config != NULL);
	struct config_global *global = &program.config->global;
	if (options->maxconn != 0)
		global->maxconn = options->maxconn;
	if (options->local_name != NULL)
		global->node = options->local_name;
	if (options->pidfile != NULL)
		global->pidfile = options->pidfile;
	if (options->is_daemon)
		global->is_daemon = true;
	if (options->is_foreground)
		global->is_daemon = false;
	if (options->is_quiet || global->is_quiet)
		log_set_stderr_level(LOG_LEVEL_ALERT);
	return 0;
}

/* --- signals --- */

static void on_stopped(struct instance *instance)
{
	(void)instance;
	loop_stop(program.loop);
}

static void on_hard_stop(struct loop_timer *timer)
{
	(void)timer;
	log_event(LOG_LEVEL_WARNING, "hard-stop-after has passed: the sessions that are left are ended.");
	loop_stop(program.loop);
}

static void soft_stop(void)
{
	uint32_t limit_ms = program.config->global.hard_stop_after_ms;
	log_event(LOG_LEVEL_NOTICE, "Finishing: no new connections, %u open.",
		__atomic_load_n(&program.instance->limits.conn_cur, __ATOMIC_RELAXED));
	instance_soft_stop(program.instance);
	if (limit_ms != 0)
		loop_timer_set(program.loop, &program.hard_stop_timer, loop_now_ms(program.loop) + limit_ms);
}

static void on_signal(struct loop_watch *watch, unsigned events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			soft_stop();
		} else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
			log_event(LOG_LEVEL_NOTICE, "Stopping.");
			loop_stop(program.loop);
		} else {
			log_event(LOG_LEVEL_WARNING,
				"Signal %u is ignored: this version has no reload; start a new process with -sf %d.",
				info.ssi_signo, (int)getpid());
		}
	}
}

/* Blocked before any thread is made, so that all inherit it and only the signalfd sees them. */
static int signals_block(void)
{
	sigset_t set;
	sigemptyset(&set);
	int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT};
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -errno;
	program.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return program.signal_fd < 0 ? -errno : 0;
}

static void old_processes_tell(void)
{
	const struct options *options = &program.options;
	for (unsigned i = 0; i < options->old_pids_count; i++) {
		if (kill(options->old_pids[i], options->old_pids_signal) != 0)
			log_event(LOG_LEVEL_WARNING, "process %d cannot be told to end: %s",
				(int)options->old_pids[i], strerror(errno));
	}
}

/* --- start and end --- */

/* Everything that can fail for reasons of the machine, in the order that lets the
 * caller still see the message: sockets, pid file, background, privileges. */
static int start(void)
{
	int pidfile = -1;
	CHECK(program.config != NULL);
	const struct config_global *global = &program.config->global;
	program.loop = loop_create();
	if (program.loop == NULL || signals_block() < 0) {
		log_event(LOG_LEVEL_ALERT, "cannot start: %s", strerror(errno));
		return -errno;
	}
	int result = instance_create(program.config, program.loop, &program.instance);
	if (result == 0)
		result = admin_create(program.instance, &program.admin);
	if (result == 0)
		result = process_pidfile_open(global->pidfile, &pidfile);
	if (result == 0 && global->is_daemon)
		result = process_background(&program.ready_fd);
	if (result == 0) {
		process_pidfile_write(pidfile);
		result = process_privileges_drop(
			global, program.instance->wire != NULL || program.instance->sockmaps != NULL);
	}
	if (result == 0)
		result = loop_watch_add(program.loop, &program.signal_watch, program.signal_fd,
			LOOP_READABLE | LOOP_LEVEL, on_signal);
	if (result == 0)
		result = instance_start(program.instance);
	return result;
}

static void run(void)
{
	CHECK(program.instance != NULL);
	program.instance->on_stopped = on_stopped;
	loop_timer_init(&program.hard_stop_timer, on_hard_stop);
	if (program.options.is_verbose || program.options.listen != NULL)
		log_event(LOG_LEVEL_NOTICE,
			"spliced " SPLICED_VERSION " runs: %u threads, up to %u connections.",
			program.instance->workers_count, program.instance->limits.maxconn);
	old_processes_tell();
	process_background_ready(&program.ready_fd);
	log_startup_end();
	loop_run(program.loop);
}

static void end(void)
{
	if (program.instance != NULL)
		instance_stop(program.instance);
	admin_destroy(program.admin);
	instance_destroy(program.instance);
	if (program.loop != NULL) {
		if (loop_watch_is_live(&program.signal_watch) && program.signal_watch.on_ready != NULL)
			loop_watch_remove(program.loop, &program.signal_watch, false);
		loop_destroy(program.loop);
	}
	fd_close(&program.signal_fd);
	config_destroy(program.config);
}

static int run_action(void)
{
	if (program.options.directory != NULL && chdir(program.options.directory) != 0) {
		log_event(LOG_LEVEL_ALERT, "cannot change to %s: %s", program.options.directory,
			strerror(errno));
		return 1;
	}
	if (configuration_load() < 0 || instance_config_check(program.config) < 0) {
		config_destroy(program.config);
		return 1;
	}
	if (program.options.action == OPTIONS_CHECK) {
		if (!program.options.is_quiet)
			puts("Configuration file is valid");
		config_destroy(program.config);
		return 0;
	}
	int result = start();
	if (result == 0)
		run();
	end();
	return result < 0 ? 1 : 0;
}

/* Else a socket would get a standard descriptor's number, and -D would replace it. */
static void standard_fds_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest free number is this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1);
	}
}

int main(int count, char **words)
{
	standard_fds_open();
	/* Held buffers come and go by the hundred KiB: keep them off mmap. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	program.signal_watch.fd = -1;
	if (options_parse(count, words, &program.options) < 0)
		return 1;
	switch (program.options.action) {
	case OPTIONS_VERSION:
		facts_print_version();
		return 0;
	case OPTIONS_FACTS:
		facts_print();
		return 0;
	case OPTIONS_PROBE:
		probe_print();
		return 0;
	case OPTIONS_HELP:
		options_print_help();
		return 0;
	case OPTIONS_REFERENCE:
		config_reference_print(stdout);
		return 0;
	case OPTIONS_METRICS:
		admin_metrics_reference_print(stdout);
		return 0;
	case OPTIONS_RUN:
	case OPTIONS_CHECK:
		return run_action();
	}
	CHECK(false);
}
