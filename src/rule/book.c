/* Calls with their arguments, and files of lists and maps. */
#include "rule/book.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024 };

/* --- calls --- */

/* Copies an argument without its quotes; *at ends at what follows it.  NULL: a quote or
 * the list is open. */
static char *argument_parse(struct rule_book *book, const char **at)
{
	char *argument = arena_alloc(book->arena, strlen(*at) + 1), quote = '\0';
	size_t len = 0;
	for (; **at != '\0'; (*at)++) {
		char character = **at;
		if (character == '\\' && quote != '\'' && (*at)[1] != '\0') {
			argument[len++] = *++*at;
			continue;
		}
		if (quote == '\0' && (character == ',' || character == ')'))
			return argument;
		if (character == quote)
			quote = '\0';
		else if (quote == '\0' && (character == '"' || character == '\''))
			quote = character;
		else
			argument[len++] = character;
	}
	return NULL;
}

static int arguments_parse(
	struct rule_book *book, const char **at, struct rule_call *call, struct text *complaint)
{
	do {
		if (call->count == RULE_ARGUMENTS_MAX) {
			text_printf(complaint, "'%s' has too many arguments", call->name);
			return -EINVAL;
		}
		(*at)++;
		const char *argument = argument_parse(book, at);
		if (argument == NULL) {
			text_printf(complaint, "the arguments of '%s' are not closed", call->name);
			return -EINVAL;
		}
		call->arguments[call->count++] = argument;
	} while (**at == ',');
	(*at)++;
	/* "()" is no argument at all. */
	if (call->count == 1 && call->arguments[0][0] == '\0')
		call->count = 0;
	return 0;
}

int rule_call_parse(
	struct rule_book *book, const char **at, struct rule_call *ret_call, struct text *complaint)
{
	size_t len = strcspn(*at, "(,");
	memset(ret_call, 0, sizeof(*ret_call));
	if (len == 0) {
		text_add(complaint, "a name is missing");
		return -EINVAL;
	}
	ret_call->name = arena_copy_bytes(book->arena, *at, len);
	*at += len;
	if (**at == '(' && arguments_parse(book, at, ret_call, complaint) < 0)
		return -EINVAL;
	if (**at == '\0' || **at == ',')
		return 0;
	text_printf(complaint, "'%s' stands behind the arguments of '%s'", *at, ret_call->name);
	return -EINVAL;
}

bool rule_number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	char *end;
	const char *digits = text + (*text == '-' || *text == '+');
	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

/* --- files --- */

/* Reads a plain file into the arena, terminated; NULL after a complaint. */
static char *file_read(struct rule_book *book, const char *path, struct text *complaint)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		text_printf(complaint, "cannot read the file '%s': %s", path, strerror(errno));
		return NULL;
	}
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX) {
		text_printf(complaint, "'%s' is not a plain file of up to 64 MiB", path);
		return NULL;
	}
	size_t size = (size_t)status.st_size, len = 0;
	/* The descriptor must not be open where the arena may not come back from. */
	fd_close(&fd);
	char *bytes = arena_alloc(book->arena, size + 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < size) {
		ssize_t got = read(fd, bytes + len, size - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (fd < 0 || len < size) {
		text_printf(complaint, "the file '%s' changes while it is read", path);
		return NULL;
	}
	return bytes;
}

static char *trim(char *line, char *end)
{
	while (end > line && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	while (isspace((unsigned char)*line))
		line++;
	return line;
}

int rule_lines_read(
	struct rule_book *book, const char *path, struct rule_lines *lines, struct text *complaint)
{
	unsigned number = 0;
	if (book->has_no_files) {
		text_printf(complaint, "the file '%s' is not read here", path);
		return -EINVAL;
	}
	char *bytes = file_read(book, path, complaint);
	if (bytes == NULL)
		return -EINVAL;
	const char *const last = bytes + strlen(bytes);
	for (char *at = bytes, *end; *at != '\0'; at = end) {
		char storage[512];
		struct text words;
		end = memchr(at, '\n', (size_t)(last - at));
		bool is_last = end == NULL;
		if (is_last)
			end = at + strlen(at);
		char *line = trim(at, end);
		end += !is_last;
		number++;
		if (line[0] == '\0' || line[0] == '#')
			continue;
		text_init(&words, storage, sizeof(storage));
		if (lines->on_line(lines, line, &words) < 0) {
			text_printf(complaint, "line %u of '%s': %s", number, path, storage);
			return -EINVAL;
		}
	}
	return 0;
}
