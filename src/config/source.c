/* Files and directories of configuration into the parser. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/parser.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024, FIRST_READ_BYTES = 64 * 1024, DIRECTORY_FILES_MAX = 4096 };

/* Reads to the end into parser->file_bytes.  Returns the length or -errno. */
static ssize_t read_all(struct parser *parser, int fd)
{
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t got;

		if (len == size) {
			char *larger;

			size = size == 0 ? FIRST_READ_BYTES : size * 2;
			if (size > 2 * (size_t)FILE_BYTES_MAX)
				return -EFBIG;
			larger = realloc(parser->file_bytes, size);
			if (larger == NULL)
				return -ENOMEM;
			parser->file_bytes = larger;
		}
		got = read(fd, parser->file_bytes + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return len > FILE_BYTES_MAX ? -EFBIG : (ssize_t)len;
		len += (size_t)got;
	}
}

/* Takes fd over.  It is closed before anything is parsed, which may not return here. */
static void read_file(struct parser *parser, const char *path, int fd)
{
	ssize_t len = read_all(parser, fd);

	fd_close(&fd);
	if (len == -EFBIG)
		report_alert_all(parser, "the file '%s' is larger than 16 MiB", path);
	else if (len < 0)
		report_alert_all(parser, "cannot read the file '%s': %s", path, strerror((int)-len));
	else
		parser_feed(parser, arena_copy(parser->arena, path), parser->file_bytes, (size_t)len);
	free(parser->file_bytes);
	parser->file_bytes = NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_config_name(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".cfg") == 0;
}

static char *join_path(struct parser *parser, const char *directory, const char *name)
{
	size_t directory_len = strlen(directory), name_len = strlen(name);
	char *path;

	while (directory_len > 1 && directory[directory_len - 1] == '/')
		directory_len--;
	path = arena_alloc(parser->arena, directory_len + name_len + 2);
	memcpy(path, directory, directory_len);
	path[directory_len] = '/';
	memcpy(path + directory_len + 1, name, name_len);
	return path;
}

/* The paths of a directory's *.cfg files, sorted; 0 after reporting when it has none. */
static size_t list_directory(struct parser *parser, const char *path, char **ret_paths)
{
	const struct dirent *entry;
	size_t count = 0;

	parser->directory = opendir(path);
	if (parser->directory == NULL) {
		report_alert_all(parser, "cannot open the directory '%s': %s", path, strerror(errno));
		return 0;
	}
	while ((entry = readdir(parser->directory)) != NULL) {
		struct stat status;

		if (!is_config_name(entry->d_name))
			continue;
		ret_paths[count] = join_path(parser, path, entry->d_name);
		if (stat(ret_paths[count], &status) == 0 && S_ISDIR(status.st_mode))
			continue;
		if (++count == DIRECTORY_FILES_MAX) {
			report_alert_all(
				parser, "the directory '%s' has %d files or more", path, DIRECTORY_FILES_MAX);
			break;
		}
	}
	closedir(parser->directory);
	parser->directory = NULL;
	if (count == 0)
		report_alert_all(parser, "the directory '%s' has no file whose name ends in .cfg", path);
	qsort(ret_paths, count, sizeof(*ret_paths), compare_names);
	return count;
}

static void read_path(struct parser *parser, const char *path, bool may_be_directory);

static void read_directory(struct parser *parser, const char *path)
{
	char **paths = arena_alloc(parser->arena, DIRECTORY_FILES_MAX * sizeof(*paths));
	size_t count = list_directory(parser, path, paths);

	for (size_t i = 0; i < count && !parser->is_stopped; i++)
		read_path(parser, paths[i], false);
}

static void read_path(struct parser *parser, const char *path, bool may_be_directory)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		report_alert_all(parser, "cannot open the configuration '%s': %s", path, strerror(errno));
		fd_close(&fd);
		return;
	}
	if (!S_ISDIR(status.st_mode)) {
		read_file(parser, path, fd);
		return;
	}
	fd_close(&fd);
	if (may_be_directory)
		read_directory(parser, path);
}

void source_read(struct parser *parser, const char *path)
{
	read_path(parser, path, true);
}
