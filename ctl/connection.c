/* Talks to the runtime socket: connects, sends a line, copies what comes back. */
#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"

/* How the answers of commands that were not carried out begin. */
static const char *const refusals[] = {
	"Unknown command",
	"Permission denied",
	"No such ",
	"No memory",
	"Can't find ",
	"Require ",
	"Session not found",
	"Session pointer expected",
	"A frontend name is expected",
	"A weight is ",
	"A positive delay ",
	"Absolute weight ",
	"All sockets are already ",
	"Expects an integer",
	"Frontend was ",
	"Integer value expected",
	"The delay is ",
	"The line is longer",
	"Too many words",
	"Unknown unit",
	"Value out of range",
	"usage: ",
	"'set server ",
	"'clear counters' ",
};

int control_is_refusal(const char *answer)
{
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		if (strncmp(answer, refusals[i], strlen(refusals[i])) == 0)
			return 1;
	}
	return 0;
}

static enum control_outcome fail(const struct control_options *options, const char *what, const char *why)
{
	fprintf(stderr, "splicectl: %s %s: %s\n", what, options->address, why);
	return CONTROL_FAILED;
}

static int address_find(
	const struct control_options *options, struct address *ret_address, const char **ret_reason)
{
	struct address_spec spec;
	int error = address_parse(options->address, &spec, ret_reason);
	if (error != 0)
		return error;
	if (spec.kind == ADDRESS_FD || (spec.kind == ADDRESS_IP && spec.port_first == 0)) {
		*ret_reason = "a path or host:port is expected";
		return -EINVAL;
	}
	error = address_resolve(&spec, spec.port_first, ret_address);
	if (error != 0)
		*ret_reason = error == -ENOENT ? "no such host" : strerror(-error);
	return error;
}

/* Sends everything, then says that no more follows. */
static int line_send(int fd, const char *line)
{
	size_t sent = 0, len = strlen(line);
	while (sent < len) {
		ssize_t count = send(fd, line + sent, len - sent, MSG_NOSIGNAL);
		if (count < 0 && errno != EINTR)
			return -errno;
		sent += count > 0 ? (size_t)count : 0;
	}
	if (send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}

/* Copies to stdout and remembers the beginning.  The empty line that ends every
 * answer is not part of it. */
static int answer_copy(int fd, char *ret_beginning, size_t size)
{
	char piece[16384];
	size_t known = 0;
	unsigned newlines_owed = 0;
	for (;;) {
		ssize_t len = recv(fd, piece, sizeof(piece), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (ssize_t i = 0; i < len && known < size - 1; i++)
			ret_beginning[known++] = piece[i];
		ret_beginning[known] = '\0';
		if (len == 0)
			break;
		for (; newlines_owed > 0; newlines_owed--)
			putchar('\n');
		while (len > 0 && newlines_owed < 2 && piece[len - 1] == '\n') {
			newlines_owed++;
			len--;
		}
		if (fwrite(piece, 1, (size_t)len, stdout) != (size_t)len)
			return -EIO;
	}
	if (newlines_owed > 1 || (newlines_owed == 1 && known > 1))
		putchar('\n');
	return fflush(stdout) == 0 ? 0 : -EIO;
}

enum control_outcome control_ask(const struct control_options *options, const char *line)
{
	char beginning[64];
	struct address address;
	const char *reason = NULL;
	struct timeval timeout = {.tv_sec = options->timeout_ms / 1000,
		.tv_usec = (suseconds_t)(options->timeout_ms % 1000) * 1000};
	if (address_find(options, &address, &reason) != 0)
		return fail(options, "bad address", reason ? reason : "not understood");
	FD_AUTO int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(options, "cannot open a socket for", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, &address.any, address.len) != 0)
		return fail(options, "cannot connect to", strerror(errno == EINPROGRESS ? ETIMEDOUT : errno));
	int error = line_send(fd, line);
	if (error == 0)
		error = answer_copy(fd, beginning, sizeof(beginning));
	if (error != 0)
		return fail(options, "no whole answer from", strerror(-error));
	return control_is_refusal(beginning) ? CONTROL_REFUSED : CONTROL_FINE;
}
