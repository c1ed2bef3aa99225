/* The readings of process.h. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

int process_init(struct process *process, pid_t pid, struct proc_file *file)
{
	char path[32];
	struct proc_status status;
	*process = (struct process){.pid = pid, .folder_fd = -1, .stat_fd = -1, .pid_fd = -1};
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	process->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->folder_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	int result = proc_file_read_at(file, process->folder_fd, "status");
	if (result < 0)
		return result == -ENOENT ? -ESRCH : result;
	if (proc_status_parse(file->bytes, &status) < 0)
		return -EPROTO;
	if (status.tgid != (uint32_t)pid)
		return -EINVAL;
	process->stat_fd = openat(process->folder_fd, "stat", O_RDONLY | O_CLOEXEC);
	if (process->stat_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	process->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return process->pid_fd < 0 ? -errno : 0;
}

/* True once the last thread has ended, collected by the parent or not. */
static bool has_ended(const struct process *process)
{
	struct pollfd poll_fd = {.fd = process->pid_fd, .events = POLLIN};
	return poll(&poll_fd, 1, 0) == 1;
}

static void stat_refresh(struct process *process, struct proc_file *file)
{
	struct proc_stat stat;
	if (proc_file_read(file, process->stat_fd) < 0 || proc_stat_parse(file->bytes, &stat) < 0)
		return;
	/* Of a process that waits to be collected only the times remain. */
	bool has_memory = stat.rss_pages > 0;
	if (!has_memory && process->is_started) {
		stat.rss_pages = process->last.rss_pages;
		stat.threads = process->last.threads;
	}
	process->last = stat;
	if (has_memory)
		process->rss_bytes = stat.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void use_add(struct thread_use *sum, const struct process_thread *thread)
{
	sum->run_ns += thread->last.run_ns - thread->base.run_ns;
	sum->delay_ns += thread->last.delay_ns - thread->base.delay_ns;
	sum->voluntary_switches += thread->last.voluntary_switches - thread->base.voluntary_switches;
	sum->involuntary_switches += thread->last.involuntary_switches - thread->base.involuntary_switches;
}

/* NULL only when memory is short. */
static struct process_thread *thread_create(struct process *process, uint32_t tid)
{
	if (process->threads_used == process->threads_size) {
		uint32_t size = process->threads_size == 0 ? 64 : process->threads_size * 2;
		struct process_thread *threads = realloc(process->threads, size * sizeof(*threads));
		if (threads == NULL)
			return NULL;
		process->threads = threads;
		process->threads_size = size;
	}
	struct process_thread *thread = &process->threads[process->threads_used++];
	*thread = (struct process_thread){.tid = tid};
	return thread;
}

/* The kernel lists threads in the order in which they are kept here, so the search
 * begins behind the one found last. */
static struct process_thread *thread_find(struct process *process, uint32_t tid, uint32_t *hint)
{
	for (uint32_t i = 0; i < process->threads_used; i++) {
		uint32_t place = (*hint + i) % process->threads_used;
		if (process->threads[place].tid == tid) {
			*hint = place + 1;
			return &process->threads[place];
		}
	}
	return NULL;
}

/* False when the thread ended meanwhile. */
static bool thread_read(
	struct process *process, uint32_t tid, struct proc_file *file, struct thread_use *ret_use)
{
	char path[48];
	struct proc_status status;
	struct proc_schedstat schedstat = {0};
	snprintf(path, sizeof(path), "task/%u/status", tid);
	if (proc_file_read_at(file, process->folder_fd, path) < 0 ||
		proc_status_parse(file->bytes, &status) < 0)
		return false;
	/* A kernel without CONFIG_SCHED_INFO has no such file: no delay is known then. */
	snprintf(path, sizeof(path), "task/%u/schedstat", tid);
	int result = proc_file_read_at(file, process->folder_fd, path);
	if (result == -ESRCH || (result == 0 && proc_schedstat_parse(file->bytes, &schedstat) < 0))
		return false;
	*ret_use = (struct thread_use){
		schedstat.run_ns, schedstat.delay_ns, status.voluntary_switches, status.involuntary_switches};
	return true;
}

static void thread_refresh(struct process *process, uint32_t tid, uint32_t *hint, struct proc_file *file)
{
	struct thread_use use;
	if (!thread_read(process, tid, file, &use))
		return;
	struct process_thread *thread = thread_find(process, tid, hint);
	if (thread == NULL)
		thread = thread_create(process, tid);
	if (thread == NULL)
		return;
	/* Counters never go back: this is another thread that was given the same number. */
	if (use.run_ns < thread->last.run_ns || use.voluntary_switches < thread->last.voluntary_switches) {
		use_add(&process->gone, thread);
		thread->base = (struct thread_use){0};
	}
	if (!process->is_started)
		thread->base = use;
	thread->last = use;
	thread->is_seen = true;
}

/* Long lists may skip a living thread while others end, and a read may fail for
 * want of a descriptor: only a thread whose folder is gone has ended. */
static bool thread_exists(const struct process *process, uint32_t tid)
{
	char path[32];
	snprintf(path, sizeof(path), "task/%u", tid);
	return faccessat(process->folder_fd, path, F_OK, 0) == 0;
}

static void threads_gone_collect(struct process *process)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < process->threads_used; i++) {
		struct process_thread thread = process->threads[i];
		if (thread.is_seen || thread_exists(process, thread.tid)) {
			thread.is_seen = false;
			process->threads[kept++] = thread;
		} else {
			use_add(&process->gone, &thread);
		}
	}
	process->threads_used = kept;
}

static void threads_refresh(struct process *process, struct proc_file *file)
{
	uint32_t hint = 0;
	int fd = openat(process->folder_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (folder == NULL) {
		fd_close(&fd);
		return;
	}
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		unsigned long tid = strtoul(entry->d_name, NULL, 10);
		if (tid > 0)
			thread_refresh(process, (uint32_t)tid, &hint, file);
	}
	closedir(folder);
	threads_gone_collect(process);
}

void process_refresh(struct process *process, struct proc_file *file)
{
	if (process->is_ended)
		return;
	/* Asked first: what ends after the question is read once more the next time. */
	bool is_ended = has_ended(process);
	stat_refresh(process, file);
	threads_refresh(process, file);
	process->is_ended = is_ended;
}

void process_memory_refresh(struct process *process, struct proc_file *file)
{
	struct proc_memory memory;
	if (process->is_ended || proc_file_read_at(file, process->folder_fd, "smaps_rollup") < 0 ||
		proc_memory_parse(file->bytes, &memory) < 0)
		return;
	process->rss_bytes = memory.rss_bytes;
	process->pss_bytes = memory.pss_bytes;
	process->has_pss = true;
}

void process_start(struct process *process, struct proc_file *file)
{
	process->is_started = false;
	process->threads_used = 0;
	process->gone = (struct thread_use){0};
	process_refresh(process, file);
	process_memory_refresh(process, file);
	process->first = process->last;
	process->rss_start_bytes = process->rss_bytes;
	process->pss_start_bytes = process->pss_bytes;
	process->is_started = true;
}

struct thread_use process_use(const struct process *process)
{
	struct thread_use sum = process->gone;
	for (uint32_t i = 0; i < process->threads_used; i++)
		use_add(&sum, &process->threads[i]);
	return sum;
}

void process_release(struct process *process)
{
	if (process == NULL)
		return;
	fd_close(&process->folder_fd);
	fd_close(&process->stat_fd);
	fd_close(&process->pid_fd);
	free(process->threads);
	process->threads = NULL;
	process->threads_used = process->threads_size = 0;
}
