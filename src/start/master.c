/* Supervises worker processes.  At most one starts and at most one serves at a time; those
 * that leave finish their connections beside them. */
#include "start/master.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "start/child.h"
#include "start/handover.h"
#include "start/master_cli.h"
#include "start/notify.h"
#include "start/process.h"

enum {
	RESTART_DELAY_MIN_MS = 100,
	RESTART_DELAY_MAX_MS = 10000,
	STEADY_MS = 10000, /* who served so long is started anew at once when it dies */
	START_LIMIT_MS = 120000,
	STOP_LIMIT_MS = 10000, /* after TERM */
	CHILDREN_MAX = 32, /* then the oldest that leaves has to go */
};

struct master {
	const struct master_options *options;
	struct child_plan plan;
	struct loop *loop;
	struct list children; /* oldest first */
	struct child *serving, *starting; /* NULL: none */
	struct socket_set held;
	unsigned generations;
	uint32_t restart_delay_ms;
	bool is_reload_wanted; /* while another is under way */
	bool is_stopping, has_served;
	struct loop_watch signal_watch;
	struct master_cli *cli; /* NULL: none */
	uint64_t began_ms;
	struct loop_timer restart_timer, start_timer, stop_timer, watchdog_timer;
	int signal_fd;
};

static struct master master = {.signal_fd = -1};

/* --- what others learn --- */

/* For the operator: a worker says it on standard error and in the log, which only it can write. */
static void announce(enum log_level level, const char *text)
{
	struct handover_order order = {.kind = HANDOVER_EVENT, .fd = -1};
	snprintf(order.text, sizeof(order.text), "%s", text);
	if (master.serving == NULL || handover_order_send(master.serving->channel, &order) < 0)
		log_event(level, "%s", text);
}

static void notify_ready(const char *status)
{
	notify_send("READY=1\nMAINPID=%d\nSTATUS=%s", (int)getpid(), status);
}

/* Once no further reload is wanted. */
static void reload_answer(const char *failure)
{
	if (!master.is_reload_wanted)
		master_cli_reloaded(master.cli, failure);
}

static void old_processes_tell(void)
{
	const struct options *options = master.options->options;
	for (unsigned i = 0; i < options->old_pids_count; i++) {
		if (kill(options->old_pids[i], options->old_pids_signal) != 0)
			log_event(LOG_LEVEL_WARNING, "process %d cannot be told to end: %s",
				(int)options->old_pids[i], strerror(errno));
	}
}

/* --- starting workers --- */

static void on_channel(struct loop_watch *watch, unsigned events);

static void child_kill(const struct child *child, int signal_number)
{
	/* Ours and not waited for yet: the number is nobody else's. */
	if (kill(child->pid, signal_number) != 0)
		log_event(LOG_LEVEL_WARNING, "worker %d cannot be told to end: %s", (int)child->pid,
			strerror(errno));
}

static void children_bound(void)
{
	unsigned count = 0;
	for (struct list *node = master.children.next; node != &master.children; node = node->next)
		count++;
	struct child *oldest = container_of(master.children.next, struct child, node);
	if (count < CHILDREN_MAX || oldest->state != CHILD_LEAVING)
		return;
	log_event(LOG_LEVEL_WARNING, "worker %d has to end: %u others were started after it.",
		(int)oldest->pid, master.generations - oldest->generation - 1);
	child_kill(oldest, SIGTERM);
}

static void restart_later(void)
{
	uint32_t delay_ms = master.restart_delay_ms;
	if (master.is_stopping)
		return;
	loop_timer_set(master.loop, &master.restart_timer, loop_now_ms(master.loop) + delay_ms);
	delay_ms = delay_ms == 0 ? RESTART_DELAY_MIN_MS : delay_ms * 2;
	master.restart_delay_ms = delay_ms < RESTART_DELAY_MAX_MS ? delay_ms : RESTART_DELAY_MAX_MS;
}

static int worker_start(void)
{
	struct child *child = NULL;
	CHECK(master.starting == NULL);
	children_bound();
	int error = child_spawn(&master.plan, &master.held, &child);
	if (error == 0) {
		child->generation = master.generations++;
		child->started_ms = clock_monotonic_ms();
		child->state = CHILD_STARTING;
		list_add(&master.children, &child->node);
		master.starting = child;
		error = loop_watch_add(
			master.loop, &child->watch, child->channel, LOOP_READABLE | LOOP_LEVEL, on_channel);
		loop_timer_set(master.loop, &master.start_timer, loop_now_ms(master.loop) + START_LIMIT_MS);
	}
	if (error < 0)
		log_event(LOG_LEVEL_ALERT, "a worker cannot be started: %s", strerror(-error));
	return error;
}

static void on_start_timer(struct loop_timer *timer)
{
	(void)timer;
	if (master.starting == NULL)
		return;
	log_event(LOG_LEVEL_ALERT, "worker %d does not get ready, and is ended.", (int)master.starting->pid);
	child_kill(master.starting, SIGKILL);
}

static void reload(void)
{
	if (master.is_stopping) {
		reload_answer("The master is stopping.");
		return;
	}
	if (master.starting != NULL) {
		master.is_reload_wanted = true;
		return;
	}
	master.is_reload_wanted = false;
	loop_timer_cancel(master.loop, &master.restart_timer);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading", clock_monotonic_us());
	announce(LOG_LEVEL_NOTICE, "Reloading: a new worker is started.");
	if (worker_start() == 0)
		return;
	notify_ready("The reload failed: no worker could be started");
	reload_answer("No worker could be started.");
	if (master.serving == NULL)
		restart_later();
}

static void on_restart_timer(struct loop_timer *timer)
{
	(void)timer;
	if (master.starting == NULL && !master.is_stopping && worker_start() < 0)
		restart_later();
}

/* --- a worker serves --- */

static void child_leave(struct child *child)
{
	child->state = CHILD_LEAVING;
	child_kill(child, SIGUSR1);
}

static void sockets_replace(struct child *child)
{
	socket_set_remove_files(&master.held, &child->sockets);
	socket_set_release(&master.held);
	master.held = child->sockets;
	child->sockets = (struct socket_set){0};
	memcpy(child->sockets.note, master.held.note, sizeof(child->sockets.note));
}

static void sockets_forget(void)
{
	socket_set_remove_files(&master.held, NULL);
	socket_set_release(&master.held);
}

static void worker_serves(struct child *child)
{
	struct child *old = master.serving;
	CHECK(child == master.starting);
	sockets_replace(child);
	if (master.is_stopping)
		sockets_forget();
	master.starting = NULL;
	master.serving = child;
	child->state = CHILD_SERVING;
	loop_timer_cancel(master.loop, &master.start_timer);
	log_event(LOG_LEVEL_NOTICE, "Worker %d serves.", (int)child->pid);
	if (!master.has_served) {
		old_processes_tell();
		process_background_ready(master.options->ready_fd);
	}
	master.has_served = true;
	if (old != NULL)
		child_leave(old);
	notify_ready("Serving");
	reload_answer(NULL);
	if (master.is_reload_wanted)
		reload();
}

/* A worker sends its sockets, then nothing more; its end is seen by SIGCHLD. */
static void on_channel(struct loop_watch *watch, unsigned events)
{
	struct child *child = container_of(watch, struct child, watch);
	int result = 1;
	(void)events;
	while (result == 1)
		result = socket_set_receive_next(&child->sockets, child->channel);
	if (result == -EAGAIN)
		return;
	if (result == 0 && child == master.starting) {
		worker_serves(child);
		return;
	}
	loop_watch_remove(master.loop, watch, false);
	if (child != master.starting || result == -ECONNRESET)
		return;
	log_event(LOG_LEVEL_ALERT, "worker %d did not tell its sockets (%s), and is ended.", (int)child->pid,
		strerror(result < 0 ? -result : EPROTO));
	child_kill(child, SIGKILL);
}

/* --- a worker has ended --- */

static void ending_describe(char *ret_text, size_t size, const struct child *child, int status)
{
	if (WIFSIGNALED(status))
		snprintf(ret_text, size, "Worker %d was ended by signal %d (%s)", (int)child->pid,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(ret_text, size, "Worker %d has ended with status %d", (int)child->pid,
			WEXITSTATUS(status));
}

/* It never served. */
static void start_failed(const char *ending)
{
	char text[256];
	master.starting = NULL;
	loop_timer_cancel(master.loop, &master.start_timer);
	if (master.is_stopping)
		return;
	if (!master.has_served) {
		log_event(LOG_LEVEL_ALERT, "%s before it served.", ending);
		loop_stop(master.loop);
		return;
	}
	bool is_reload = master.serving != NULL;
	snprintf(text, sizeof(text), "%s before it served: %s", ending,
		is_reload
			? "the reload has failed, and the worker before it goes on. spliced -c tells what is wrong."
			: "it is tried again.");
	announce(LOG_LEVEL_ALERT, text);
	if (is_reload)
		notify_ready("The reload failed: the configuration before it is in force");
	reload_answer(text);
	if (master.is_reload_wanted)
		reload();
	else if (!is_reload)
		restart_later();
}

static void serving_lost(const struct child *child, const char *ending)
{
	master.serving = NULL;
	if (master.is_stopping)
		return;
	log_event(
		LOG_LEVEL_ALERT, "%s. Another is started; its connections are lost, new ones wait.", ending);
	if (clock_monotonic_ms() - child->started_ms >= STEADY_MS)
		master.restart_delay_ms = 0;
	if (master.starting == NULL)
		restart_later();
}

static void child_ended(struct child *child, int status)
{
	char ending[128];
	ending_describe(ending, sizeof(ending), child, status);
	loop_watch_remove(master.loop, &child->watch, false);
	if (child == master.starting)
		start_failed(ending);
	else if (child == master.serving)
		serving_lost(child, ending);
	else
		log_event(LOG_LEVEL_NOTICE, "%s, its connections finished.", ending);
	list_remove(&child->node);
	child_destroy(child);
	if (master.is_stopping && list_is_empty(&master.children))
		loop_stop(master.loop);
}

static struct child *child_find(pid_t pid)
{
	for (struct list *node = master.children.next; node != &master.children; node = node->next) {
		struct child *child = container_of(node, struct child, node);
		if (child->pid == pid)
			return child;
	}
	return NULL;
}

static void children_reap(void)
{
	int status = 0;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = child_find(pid);
		if (child == NULL)
			continue;
		/* What it sent before it ended comes first: a worker may serve, and end. */
		if (loop_watch_is_live(&child->watch))
			on_channel(&child->watch, 0);
		child_ended(child, status);
	}
}

/* --- signals --- */

static void children_tell(int signal_number)
{
	for (struct list *node = master.children.next; node != &master.children; node = node->next)
		child_kill(container_of(node, struct child, node), signal_number);
}

static void on_stop_timer(struct loop_timer *timer)
{
	(void)timer;
	log_event(LOG_LEVEL_WARNING, "workers that do not stop are ended.");
	children_tell(SIGKILL);
}

/* USR1 lets the workers finish, TERM and INT stop them. */
static void stop(int signal_number)
{
	bool is_soft = signal_number == SIGUSR1;
	notify_send("STOPPING=1\nSTATUS=%s", is_soft ? "Finishing" : "Stopping");
	log_event(LOG_LEVEL_NOTICE,
		is_soft ? "Finishing: the workers are told." : "Stopping: the workers are told.");
	master.is_stopping = true;
	loop_timer_cancel(master.loop, &master.restart_timer);
	children_tell(is_soft ? SIGUSR1 : SIGTERM);
	if (!is_soft)
		loop_timer_set(master.loop, &master.stop_timer, loop_now_ms(master.loop) + STOP_LIMIT_MS);
	/* Nobody serves new connections: they had better be refused than wait in vain. */
	sockets_forget();
	if (list_is_empty(&master.children))
		loop_stop(master.loop);
}

static void on_signal(struct loop_watch *watch, unsigned events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			children_reap();
		else if (info.ssi_signo == SIGUSR2 || info.ssi_signo == SIGHUP)
			reload();
		else
			stop((int)info.ssi_signo);
	}
}

static int signals_open(void)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT, SIGCHLD};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -errno;
	master.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (master.signal_fd < 0)
		return -errno;
	return loop_watch_add(
		master.loop, &master.signal_watch, master.signal_fd, LOOP_READABLE | LOOP_LEVEL, on_signal);
}

/* --- the master's socket --- */

static void process_print(
	struct text *out, pid_t pid, const char *type, unsigned reloads, const char *version)
{
	const struct child *child = child_find(pid);
	uint64_t began_ms = child != NULL ? child->started_ms : master.began_ms;
	uint64_t seconds = (clock_monotonic_ms() - began_ms) / 1000;
	char uptime[32];
	snprintf(uptime, sizeof(uptime), "%ud%02uh%02um%02us", (unsigned)(seconds / 86400),
		(unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	text_printf(out, "%-15d %-15s %-15u %-15s %-15s\n", (int)pid, type, reloads, uptime, version);
}

static void children_print(struct text *out, bool are_leaving)
{
	for (struct list *node = master.children.next; node != &master.children; node = node->next) {
		const struct child *child = container_of(node, struct child, node);
		unsigned reloads = master.generations - child->generation - 1;
		const char *version = child->sockets.note[0] != '\0' ? child->sockets.note : "-";
		if ((child->state == CHILD_LEAVING) == are_leaving)
			process_print(out, child->pid, child->state == CHILD_STARTING ? "starting" : "worker",
				reloads, version);
	}
}

/* HAProxy's columns. */
static void show_processes(struct text *out)
{
	text_printf(out, "#%-14s %-15s %-15s %-15s %-15s\n", "<PID>", "<type>", "<reloads>", "<uptime>",
		"<version>");
	process_print(out, getpid(), "master", master.generations - 1, SPLICED_VERSION);
	text_add(out, "# workers\n");
	children_print(out, false);
	text_add(out, "# old workers\n");
	children_print(out, true);
	text_add(out, "# programs\n");
}

static int worker_find(const char *name)
{
	const struct child *child = strcmp(name, "1") == 0 ? master.serving : NULL;
	if (name[0] == '!')
		child = child_find((pid_t)strtol(name + 1, NULL, 10));
	return child != NULL && child->state != CHILD_STARTING ? child->channel : -1;
}

static int cli_open(void)
{
	const struct master_cli_options options = {
		.loop = master.loop,
		.path = master.options->options->master_socket,
		.show_processes = show_processes,
		.reload = reload,
		.worker_find = worker_find,
	};
	return options.path == NULL ? 0 : master_cli_create(&options, &master.cli);
}

/* --- life --- */

static void on_watchdog_timer(struct loop_timer *timer)
{
	notify_send("WATCHDOG=1");
	loop_timer_set(master.loop, timer, loop_now_ms(master.loop) + notify_watchdog_ms());
}

static void timers_init(void)
{
	loop_timer_init(&master.restart_timer, on_restart_timer);
	loop_timer_init(&master.start_timer, on_start_timer);
	loop_timer_init(&master.stop_timer, on_stop_timer);
	loop_timer_init(&master.watchdog_timer, on_watchdog_timer);
	if (notify_watchdog_ms() > 0)
		on_watchdog_timer(&master.watchdog_timer);
}

static void release(void)
{
	master.is_stopping = true;
	master_cli_destroy(master.cli);
	while (!list_is_empty(&master.children)) {
		struct child *child = container_of(master.children.next, struct child, node);
		loop_watch_remove(master.loop, &child->watch, false);
		list_remove(&child->node);
		child_destroy(child);
	}
	socket_set_release(&master.held);
	if (master.loop != NULL) {
		loop_watch_remove(master.loop, &master.signal_watch, false);
		loop_destroy(master.loop);
	}
	fd_close(&master.signal_fd);
}

int master_run(const struct master_options *options)
{
	master.options = options;
	master.held = *options->held;
	*options->held = (struct socket_set){0};
	master.signal_watch.fd = -1;
	list_init(&master.children);
	child_plan_init(&master.plan, options->words);
	master.loop = loop_create();
	int error = master.loop == NULL ? -errno : signals_open();
	if (error < 0)
		log_event(LOG_LEVEL_ALERT, "the master cannot start: %s", strerror(-error));
	master.began_ms = clock_monotonic_ms();
	if (error == 0)
		error = cli_open();
	if (error == 0) {
		timers_init();
		error = worker_start();
	}
	if (error == 0)
		loop_run(master.loop);
	release();
	return error < 0 ? error : master.has_served ? 0 : -ECHILD;
}
