/* The reader of proc_file.h. */
#include "proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

enum { SIZE_FIRST = 16 * 1024, SIZE_MAX_BYTES = 8 * 1024 * 1024 };

static int grow(struct proc_file *file)
{
	size_t size = file->size == 0 ? SIZE_FIRST : file->size * 2;
	if (size > SIZE_MAX_BYTES)
		return -EFBIG;
	char *bytes = realloc(file->bytes, size);
	if (bytes == NULL)
		return -ENOMEM;
	file->bytes = bytes;
	file->size = size;
	return 0;
}

int proc_file_read(struct proc_file *file, int fd)
{
	size_t len = 0;
	for (;;) {
		int grown = len + 1 >= file->size ? grow(file) : 0;
		if (grown < 0)
			return grown;
		ssize_t got = pread(fd, file->bytes + len, file->size - len - 1, (off_t)len);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	file->bytes[len] = '\0';
	return 0;
}

int proc_file_read_at(struct proc_file *file, int folder_fd, const char *path)
{
	FD_AUTO int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return proc_file_read(file, fd);
}

void proc_file_release(struct proc_file *file)
{
	free(file->bytes);
	*file = (struct proc_file){0};
}
