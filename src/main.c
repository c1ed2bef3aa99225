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
#include "start/handover.h"
#include "start/master.h"
#include "start/options.h"
#include "start/probe.h"
#include "start/process.h"
#include "worker/instance.h"
#include "worker/spread.h"

struct program {
	struct options options;
	struct config *config;
	struct loop *loop;
	struct instance *instance;
	struct admin *admin;
	struct spread *spread; /* NULL: none */
	struct socket_set bound_before; /* until the listeners are open */
	struct loop_watch signal_watch, channel_watch;
	struct loop_timer hard_stop_timer, report_timer;
	uint32_t report_delay_ms;
	int signal_fd, ready_fd;
	int channel; /* to the master; -1: none */
	bool is_detaching; /* a worker of a master in the background */
};

static struct program program = {.signal_fd = -1, .ready_fd = -1, .channel = -1};

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
	if (options->is_master)
		global->is_master = true;
	if (options->is_quiet || global->is_quiet)
		log_set_stderr_level(LOG_LEVEL_ALERT);
	return 0;
}

/* What the master does is not done again by its worker. */
static void worker_adapt(void)
{
	struct config_global *global = &program.config->global;
	program.is_detaching = global->is_daemon;
	program.options.old_pids_count = 0;
	global->is_daemon = false;
	global->pidfile = NULL;
}

/* From whoever started us.  Those that systemd passes come first: their numbers count. */
static int sockets_inherit(void)
{
	bool is_worker = program.channel >= 0;
	struct socket_set *set = &program.bound_before;
	int error = socket_set_add_passed(set, is_worker);
	if (error == 0 && is_worker)
		error = socket_set_receive(set, program.channel);
	if (error < 0)
		log_event(LOG_LEVEL_ALERT, "cannot take the listening sockets over: %s", strerror(-error));
	return error;
}

/* From the process that runs already (-x). */
static int sockets_take_over(void)
{
	const char *path = program.options.sockets_path;
	return program.channel >= 0 || path == NULL ? 0 : handover_ask(path, &program.bound_before);
}

/* What no listener has taken is closed; a master looks after the files itself. */
static void bound_sockets_release(void)
{
	if (program.channel < 0)
		socket_set_remove_files(&program.bound_before, NULL);
	socket_set_release(&program.bound_before);
	program.instance->bound_before = NULL;
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
	loop_timer_cancel(program.loop, &program.report_timer);
	log_event(LOG_LEVEL_WARNING, "hard-stop-after has passed: the sessions that are left are ended.");
	loop_stop(program.loop);
}

/* How a soft stop gets on, at growing distances. */
static void on_report_timer(struct loop_timer *timer)
{
	enum { REPORT_DELAY_MAX_MS = 300000 };
	uint64_t now_ms = loop_now_ms(program.loop);
	uint64_t end_ms = program.hard_stop_timer.expires_ms;
	unsigned open = __atomic_load_n(&program.instance->limits.conn_cur, __ATOMIC_RELAXED);
	if (loop_timer_is_set(&program.hard_stop_timer) && end_ms > now_ms)
		log_event(LOG_LEVEL_NOTICE, "Finishing: %u connections left, ended in %llu s at the latest.",
			open, (unsigned long long)((end_ms - now_ms + 999) / 1000));
	else
		log_event(LOG_LEVEL_NOTICE, "Finishing: %u connections left.", open);
	program.report_delay_ms *= 2;
	if (program.report_delay_ms > REPORT_DELAY_MAX_MS)
		program.report_delay_ms = REPORT_DELAY_MAX_MS;
	loop_timer_set(program.loop, timer, now_ms + program.report_delay_ms);
}

static void hard_stop_plan(void)
{
	const struct config_global *global = &program.config->global;
	uint64_t end_ms = loop_now_ms(program.loop) + global->hard_stop_after_ms;
	if (global->hard_stop_after_ms == 0)
		return;
	loop_timer_set(program.loop, &program.hard_stop_timer, end_ms);
	if (global->hard_stop_spread_ms != 0 &&
		spread_create(
			program.instance, end_ms - global->hard_stop_spread_ms, end_ms, &program.spread) < 0)
		log_event(LOG_LEVEL_WARNING, "hard-stop-spread has no effect: %s", strerror(ENOMEM));
}

static void soft_stop(void)
{
	enum { REPORT_DELAY_MS = 1000 };
	if (program.instance->state != INSTANCE_RUNNING)
		return;
	log_event(LOG_LEVEL_NOTICE, "Finishing: no new connections, %u open.",
		__atomic_load_n(&program.instance->limits.conn_cur, __ATOMIC_RELAXED));
	instance_soft_stop(program.instance);
	admin_leave(program.admin);
	program.report_delay_ms = REPORT_DELAY_MS;
	loop_timer_set(program.loop, &program.report_timer, loop_now_ms(program.loop) + REPORT_DELAY_MS);
	hard_stop_plan();
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
				"Signal %u is ignored: this process is no master (-W), whom a reload is asked of.",
				info.ssi_signo);
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

/* --- the master --- */

static void order_follow(struct handover_order *order)
{
	switch (order->kind) {
	case HANDOVER_EVENT:
		log_event(LOG_LEVEL_NOTICE, "%s", order->text);
		break;
	case HANDOVER_CLIENT:
		/* It takes the connection. */
		admin_client_serve(program.admin, order->fd, order->text);
		order->fd = -1;
		break;
	}
	fd_close(&order->fd);
}

/* Without a master nobody could replace or restart us: the connections are finished. */
static void on_channel(struct loop_watch *watch, unsigned events)
{
	static struct handover_order order;
	int error = 0;
	(void)events;
	while (error == 0) {
		error = handover_order_receive(program.channel, &order);
		if (error == 0)
			order_follow(&order);
	}
	if (error == -EAGAIN)
		return;
	loop_watch_remove(program.loop, watch, false);
	log_event(LOG_LEVEL_WARNING, "The master has gone.");
	soft_stop();
}

/* From now on it holds the listening sockets too, and tells the worker before us to finish. */
static int master_tell(void)
{
	struct socket_set set = {.note = SPLICED_VERSION};
	if (program.channel < 0)
		return 0;
	int error = admin_sockets_offer(program.admin, &set);
	if (error == 0)
		error = socket_set_send(&set, program.channel);
	socket_set_release(&set);
	if (error == 0) {
		admin_sockets_given(program.admin);
		error = loop_watch_add(program.loop, &program.channel_watch, program.channel,
			LOOP_READABLE | LOOP_LEVEL, on_channel);
	}
	if (error < 0)
		log_event(LOG_LEVEL_ALERT, "the master cannot be told: %s", strerror(-error));
	return error;
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
	int result = instance_create(program.config, program.loop, &program.bound_before, &program.instance);
	if (result == 0)
		result = admin_create(program.instance, &program.admin);
	if (result == 0)
		bound_sockets_release();
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
	if (result == 0)
		result = master_tell();
	return result;
}

static void serve(void)
{
	CHECK(program.instance != NULL);
	program.instance->on_stopped = on_stopped;
	loop_timer_init(&program.hard_stop_timer, on_hard_stop);
	loop_timer_init(&program.report_timer, on_report_timer);
	if (program.options.is_verbose || program.options.listen != NULL)
		log_event(LOG_LEVEL_NOTICE,
			"spliced " SPLICED_VERSION " runs: %u threads, up to %u connections.",
			program.instance->workers_count, program.instance->limits.maxconn);
	old_processes_tell();
	process_background_ready(&program.ready_fd);
	if (program.is_detaching)
		process_detach();
	log_startup_end();
	loop_run(program.loop);
}

static void end(void)
{
	if (program.instance != NULL)
		instance_stop(program.instance);
	spread_destroy(program.spread);
	admin_destroy(program.admin);
	instance_destroy(program.instance);
	if (program.loop != NULL) {
		loop_watch_remove(program.loop, &program.channel_watch, false);
		if (loop_watch_is_live(&program.signal_watch) && program.signal_watch.on_ready != NULL)
			loop_watch_remove(program.loop, &program.signal_watch, false);
		loop_destroy(program.loop);
	}
	fd_close(&program.signal_fd);
	fd_close(&program.channel);
	socket_set_release(&program.bound_before);
}

static int run(void)
{
	if (program.channel >= 0)
		worker_adapt();
	else if (sockets_inherit() < 0)
		return -ECONNABORTED;
	int result = sockets_take_over();
	if (result == 0)
		result = start();
	if (result == 0)
		serve();
	end();
	return result;
}

/* The process whose number is in the pid file. */
static int run_master(char **words)
{
	int pidfile = -1;
	const struct config_global *global = &program.config->global;
	const struct master_options options = {
		.words = words,
		.options = &program.options,
		.ready_fd = &program.ready_fd,
		.held = &program.bound_before,
	};
	if (!program.options.has_notify)
		(void)unsetenv("NOTIFY_SOCKET");
	/* What systemd has passed the worker inherits, by its numbers. */
	int result = sockets_take_over();
	if (result == 0)
		result = process_pidfile_open(global->pidfile, &pidfile);
	if (result == 0 && global->is_daemon)
		result = process_background(&program.ready_fd);
	if (result == 0) {
		process_pidfile_write(pidfile);
		result = master_run(&options);
	}
	socket_set_release(&program.bound_before);
	return result;
}

/* A worker is where its master is already. */
static int directory_change(void)
{
	const char *directory = program.options.directory;
	if (directory == NULL || program.channel >= 0 || chdir(directory) == 0)
		return 0;
	log_event(LOG_LEVEL_ALERT, "cannot change to %s: %s", directory, strerror(errno));
	return -errno;
}

static int act(char **words)
{
	if (directory_change() < 0)
		return -ENOENT;
	/* Before anything that may take long: the master waits until they are taken. */
	if (program.channel >= 0 && sockets_inherit() < 0)
		return -ECONNABORTED;
	if (configuration_load() < 0 || instance_config_check(program.config) < 0)
		return -EINVAL;
	if (program.options.action == OPTIONS_CHECK) {
		if (!program.options.is_quiet)
			puts("Configuration file is valid");
		return 0;
	}
	bool is_master = program.config->global.is_master && program.channel < 0;
	return is_master ? run_master(words) : run();
}

static int run_action(char **words)
{
	int result = act(words);
	config_destroy(program.config);
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
	program.signal_watch.fd = program.channel_watch.fd = -1;
	program.channel = handover_channel_find();
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
		return run_action(words);
	}
	CHECK(false);
}
