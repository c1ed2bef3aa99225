/* Forking and executing a worker process. */
#include "start/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "start/handover.h"

void child_plan_init(struct child_plan *plan, char **words)
{
	char folder[2048];
	*plan = (struct child_plan){.words = words};
	if (words[0][0] == '/')
		snprintf(plan->program, sizeof(plan->program), "%s", words[0]);
	else if (strchr(words[0], '/') != NULL && getcwd(folder, sizeof(folder)) != NULL)
		snprintf(plan->program, sizeof(plan->program), "%s/%s", folder, words[0]);
	else if (readlink("/proc/self/exe", plan->program, sizeof(plan->program) - 1) <= 0)
		snprintf(plan->program, sizeof(plan->program), "/proc/self/exe");
	(void)getrlimit(RLIMIT_NOFILE, &plan->files);
	/* The sockets of a worker with many bind lines and threads have to fit. */
	(void)fd_limit_raise(plan->files.rlim_max);
}

static _Noreturn void program_run(const struct child_plan *plan, int channel)
{
	static const char *const masters_own[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setrlimit(RLIMIT_NOFILE, &plan->files);
	for (size_t i = 0; i < ARRAY_LENGTH(masters_own); i++)
		(void)unsetenv(masters_own[i]);
	handover_channel_pass(channel);
	(void)execv(plan->program, plan->words);
	log_event(LOG_LEVEL_ALERT, "cannot run %s: %s", plan->program, strerror(errno));
	_exit(1);
}

static int program_start(const struct child_plan *plan, struct child *child)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return -errno;
	child->channel = ends[0];
	child->pid = fork();
	if (child->pid == 0)
		program_run(plan, ends[1]);
	int error = child->pid < 0 ? -errno : 0;
	fd_close(&ends[1]);
	return error;
}

int child_spawn(const struct child_plan *plan, const struct socket_set *held, struct child **ret_child)
{
	struct child *child = calloc(1, sizeof(*child));
	if (child == NULL)
		return -ENOMEM;
	list_init(&child->node);
	child->channel = child->watch.fd = -1;
	int error = program_start(plan, child);
	if (error < 0) {
		child_destroy(child);
		return error;
	}
	/* It may have died already: that is found out like any other death. */
	error = socket_set_send(held, child->channel);
	if (error < 0)
		log_event(LOG_LEVEL_WARNING, "the new worker does not take the listening sockets: %s",
			strerror(-error));
	*ret_child = child;
	return 0;
}

void child_destroy(struct child *child)
{
	fd_close(&child->channel);
	socket_set_release(&child->sockets);
	free(child);
}
