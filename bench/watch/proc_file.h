/* Reads small files of /proc whole, again and again into the same memory. */
#pragma once

#include <stddef.h>

#include "base/status.h"

/* Zeroed is empty.  bytes is terminated after each successful read. */
struct proc_file {
	char *bytes;
	size_t size;
};

/* From the file's beginning.  Returns 0, -EFBIG past 8 MiB, -ENOMEM, or what
 * read(2) says: -ESRCH when the process behind the file is gone. */
int proc_file_read(struct proc_file *file, int fd) MUST_USE;
/* The same of a file below a folder, opened for this once. */
int proc_file_read_at(struct proc_file *file, int folder_fd, const char *path) MUST_USE;
void proc_file_release(struct proc_file *file);
