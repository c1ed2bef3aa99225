/* The echo servers that copy: blocking read and write, in turn or in a thread
 * for each connection, and both as one batch of io_submit(2). */
#include "echo.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

static void serve_naive(int fd, void *ctx)
{
	char *buffer = ctx;

	for (;;) {
		ssize_t count = read(fd, buffer, ECHO_BUFFER_BYTES);
		int error;

		if (count == 0)
			return;
		if (count < 0) {
			echo_report("read", errno);
			return;
		}
		error = echo_write_all(fd, buffer, (size_t)count);
		if (error < 0) {
			echo_report("write", -error);
			return;
		}
	}
}

int echo_naive_serve(const struct echo_options *options, int listener)
{
	static char buffer[ECHO_BUFFER_BYTES];

	return echo_serve_in_turn(options, listener, serve_naive, buffer);
}

struct thread_work {
	int fd;
	char buffer[ECHO_BUFFER_BYTES];
};

static void *thread_run(void *argument)
{
	struct thread_work *work = argument;

	serve_naive(work->fd, work->buffer);
	fd_close(&work->fd);
	free(work);
	return NULL;
}

/* Takes the descriptor.  Returns 0 or a negative errno. */
static int thread_start(int fd, pthread_t *ret_thread)
{
	struct thread_work *work = malloc(sizeof(*work));
	int error;

	if (!work) {
		fd_close(&fd);
		return -ENOMEM;
	}
	work->fd = fd;
	error = pthread_create(ret_thread, NULL, thread_run, work);
	if (error != 0) {
		fd_close(&work->fd);
		free(work);
	}
	return -error;
}

int echo_thread_serve(const struct echo_options *options, int listener)
{
	echo_announce(listener);
	for (;;) {
		pthread_t thread;
		int fd = echo_accept(options, listener);
		int error;

		if (fd < 0) {
			echo_report("accept", -fd);
			return 1;
		}
		error = thread_start(fd, &thread);
		if (error < 0) {
			echo_report("a thread for a connection", -error);
			continue;
		}
		if (options->is_once)
			return pthread_join(thread, NULL) == 0 ? 0 : 1;
		(void)pthread_detach(thread);
	}
}

enum { BATCH_WRITE, BATCH_READ, BATCH_LENGTH };

struct batch {
	aio_context_t context;
	struct iocb blocks[BATCH_LENGTH];
	char *buffer;
};

static void batch_fill(struct batch *batch, int fd)
{
	memset(batch->blocks, 0, sizeof(batch->blocks));
	for (unsigned i = 0; i < BATCH_LENGTH; i++) {
		batch->blocks[i].aio_data = i;
		batch->blocks[i].aio_fildes = (uint32_t)fd;
		batch->blocks[i].aio_buf = (uintptr_t)batch->buffer;
	}
	batch->blocks[BATCH_WRITE].aio_lio_opcode = IOCB_CMD_PWRITE;
	batch->blocks[BATCH_READ].aio_lio_opcode = IOCB_CMD_PREAD;
	batch->blocks[BATCH_READ].aio_nbytes = ECHO_BUFFER_BYTES;
}

/* Writes what the last turn read, then reads, in one system call that blocks
 * because the socket does; a second call fetches the results.  Returns 0 or a
 * negative errno. */
static int batch_turn(struct batch *batch, long long ret_results[BATCH_LENGTH])
{
	struct iocb *list[BATCH_LENGTH] = {&batch->blocks[BATCH_WRITE], &batch->blocks[BATCH_READ]};
	struct io_event events[BATCH_LENGTH];

	if (syscall(SYS_io_submit, batch->context, (long)BATCH_LENGTH, list) != BATCH_LENGTH)
		return errno ? -errno : -EIO;
	if (syscall(SYS_io_getevents, batch->context, (long)BATCH_LENGTH, (long)BATCH_LENGTH, events, NULL) !=
		BATCH_LENGTH)
		return errno ? -errno : -EIO;
	for (unsigned i = 0; i < BATCH_LENGTH; i++) {
		CHECK(events[i].data < BATCH_LENGTH);
		ret_results[events[i].data] = events[i].res;
	}
	return 0;
}

static void serve_batch(int fd, void *ctx)
{
	struct batch *batch = ctx;

	batch_fill(batch, fd);
	for (;;) {
		long long results[BATCH_LENGTH] = {0};
		int error = batch_turn(batch, results);

		if (error < 0) {
			echo_report("io_submit", -error);
			return;
		}
		if (results[BATCH_WRITE] < 0 || results[BATCH_READ] < 0) {
			echo_report("io_submit's write or read",
				(int)-(results[BATCH_WRITE] < 0 ? results[BATCH_WRITE]
								: results[BATCH_READ]));
			return;
		}
		/* A blocking socket writes short only when it is broken; the batch has read over the rest. */
		if ((unsigned long long)results[BATCH_WRITE] != batch->blocks[BATCH_WRITE].aio_nbytes) {
			fprintf(stderr,
				"splicebench echo: io_submit wrote less than all: the echo is broken off\n");
			return;
		}
		if (results[BATCH_READ] == 0)
			return;
		batch->blocks[BATCH_WRITE].aio_nbytes = (uint64_t)results[BATCH_READ];
	}
}

int echo_iosubmit_serve(const struct echo_options *options, int listener)
{
	static char buffer[ECHO_BUFFER_BYTES];
	struct batch batch = {.buffer = buffer};
	int status;

	if (syscall(SYS_io_setup, (long)BATCH_LENGTH, &batch.context) != 0) {
		fprintf(stderr, "splicebench echo: iosubmit is not available here: io_setup: %s\n",
			strerror(errno));
		return 1;
	}
	status = echo_serve_in_turn(options, listener, serve_batch, &batch);
	(void)syscall(SYS_io_destroy, batch.context);
	return status;
}
