/* Background, pid file, privileges. */

#include "start/process.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

int process_pidfile_open(const char *path, int *ret_fd)
{
	*ret_fd = -1;
	if (path == NULL)
		return 0;
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (*ret_fd >= 0)
		return 0;
	int error = errno;
	log_event(LOG_LEVEL_ALERT, "cannot create the pid file %s: %s", path, strerror(error));
	return -error;
}

void process_pidfile_write(int fd)
{
	if (fd >= 0 && dprintf(fd, "%d\n", (int)getpid()) < 0)
		log_event(LOG_LEVEL_WARNING, "cannot write the pid file: %s", strerror(errno));
	fd_close(&fd);
}

static int report(const char *what, const char *name)
{
	int error = errno;
	log_event(LOG_LEVEL_ALERT, "cannot %s %s: %s", what, name, strerror(error));
	return -error;
}

/* The engines in the kernel go on entering connections into their tables and reading sockets. */
static int bpf_rights_keep(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_PERFMON, -1) != 0 ||
		capng_apply(CAPNG_SELECT_CAPS) != 0)
		return report("keep", "CAP_BPF and CAP_PERFMON for relay wire or sockmap");
	return 0;
}

int process_privileges_drop(const struct config_global *global, bool keeps_bpf)
{
	bool is_leaving_root = global->uid > 0 && geteuid() == 0;
	if (keeps_bpf && is_leaving_root && prctl(PR_SET_KEEPCAPS, 1) != 0)
		return report("keep", "the capabilities of relay wire or sockmap");
	if (global->chroot != NULL && (chroot(global->chroot) != 0 || chdir("/") != 0))
		return report("change the root to", global->chroot);
	if (global->gid >= 0) {
		gid_t gid = (gid_t)global->gid;
		if (getuid() == 0 && setgroups(1, &gid) != 0)
			return report("set the groups for", global->group != NULL ? global->group : "gid");
		if (setgid(gid) != 0)
			return report("change to group", global->group != NULL ? global->group : "gid");
	}
	if (global->uid >= 0 && setuid((uid_t)global->uid) != 0)
		return report("change to user", global->user != NULL ? global->user : "uid");
	if (keeps_bpf && is_leaving_root) {
		int kept = bpf_rights_keep();
		if (kept < 0)
			return kept;
	}
	/* A change of user takes the permission to dump core away. */
	if (global->is_dumpable && prctl(PR_SET_DUMPABLE, 1) != 0)
		return report("keep", "core files possible (set-dumpable)");
	return 0;
}

static _Noreturn void parent_wait(int fd)
{
	char byte;
	ssize_t got;
	do {
		got = read(fd, &byte, 1);
	} while (got < 0 && errno == EINTR);
	_exit(got == 1 ? 0 : 1);
}

int process_background(int *ret_ready_fd)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return report("make a pipe for", "the background process");
	pid_t pid = fork();
	if (pid < 0)
		return report("fork", "the background process");
	if (pid > 0) {
		close(ends[1]);
		parent_wait(ends[0]);
	}
	close(ends[0]);
	setsid();
	*ret_ready_fd = ends[1];
	return 0;
}

void process_detach(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			(void)dup2(null_fd, fd);
		fd_close(&null_fd);
	}
	log_set_stderr_level(-1);
}

void process_background_ready(int *ready_fd)
{
	if (*ready_fd < 0)
		return;
	process_detach();
	ssize_t written = write(*ready_fd, "", 1);
	(void)written;
	fd_close(ready_fd);
}
