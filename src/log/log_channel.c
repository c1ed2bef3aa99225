/* Sends batches of log lines: datagrams with one sendmmsg, descriptors with
 * writes that never wait for long. */
#include "log/log_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"

enum {
	BATCH_MAX = 32,
	RETRY_MS = 1000, /* between attempts to reach a target */
	REPORT_QUIET_MS = 60000, /* without errors before a target is reported anew */
	PATIENCE_MS = 20, /* waiting for slow readers of descriptors, in one second */
	PARTS = 3, /* of a line: header, text, newline */
};

enum channel_kind { CHANNEL_DATAGRAM, CHANNEL_STREAM, CHANNEL_FILE, CHANNEL_PIPE };

struct queued_line {
	char header[LOG_HEADER_MAX];
	struct iovec parts[PARTS];
};

struct log_channel {
	enum config_log_kind config_kind;
	struct address address;
	enum channel_kind kind;
	int fd; /* -1: not open */
	bool is_reported;
	bool refuses_nowait; /* a descriptor without RWF_NOWAIT */
	bool is_mid_line; /* the last write ended inside a line */
	uint64_t retry_ms, failed_ms, errors;
	uint64_t patience_second;
	int patience_ms;
	unsigned queued;
	struct queued_line lines[BATCH_MAX];
};

static char newline[] = "\n";

struct log_channel *log_channel_create(const struct config_log *target)
{
	struct log_channel *channel = calloc(1, sizeof(*channel));
	if (!channel)
		return NULL;
	channel->config_kind = target->kind;
	channel->address = target->address;
	channel->fd = target->kind == CONFIG_LOG_FD ? target->fd : -1;
	channel->kind = CHANNEL_DATAGRAM;
	if (target->kind != CONFIG_LOG_FD)
		return channel;
	struct stat status;
	channel->kind = CHANNEL_PIPE;
	if (fstat(channel->fd, &status) == 0 && S_ISSOCK(status.st_mode))
		channel->kind = CHANNEL_STREAM;
	else if (fstat(channel->fd, &status) == 0 && S_ISREG(status.st_mode))
		channel->kind = CHANNEL_FILE;
	return channel;
}

void log_channel_destroy(struct log_channel *channel)
{
	if (!channel)
		return;
	if (channel->config_kind != CONFIG_LOG_FD)
		fd_close(&channel->fd);
	free(channel);
}

bool log_channel_is_for(const struct log_channel *channel, const struct config_log *target)
{
	if (channel->config_kind != target->kind)
		return false;
	if (target->kind == CONFIG_LOG_FD)
		return channel->fd == target->fd;
	return address_is_equal(&channel->address, &target->address);
}

uint64_t log_channel_errors(const struct log_channel *channel)
{
	return channel->errors;
}

/* Counts lines as lost; says so in words the first time. */
static void channel_fail(struct log_channel *channel, unsigned lines, int error)
{
	char name[ADDRESS_TEXT_MAX];
	uint64_t now_ms = clock_monotonic_ms();
	channel->errors += lines;
	if (channel->is_reported && now_ms - channel->failed_ms > REPORT_QUIET_MS)
		channel->is_reported = false;
	channel->failed_ms = now_ms;
	if (channel->is_reported)
		return;
	channel->is_reported = true;
	if (channel->config_kind == CONFIG_LOG_FD) {
		log_event(LOG_LEVEL_WARNING,
			"log : cannot write to descriptor %d (%s), lines are being lost.", channel->fd,
			strerror(error));
		return;
	}
	address_print(&channel->address, name, sizeof(name));
	log_event(LOG_LEVEL_WARNING, "log : cannot send to %s (%s), lines are being lost.", name,
		strerror(error));
}

/* lines: how many are lost if it cannot be opened. */
static bool channel_open(struct log_channel *channel, unsigned lines)
{
	uint64_t now_ms = clock_monotonic_ms();
	if (channel->fd >= 0)
		return true;
	if (now_ms < channel->retry_ms) {
		channel->errors += lines;
		return false;
	}
	FD_AUTO int fd = socket(channel->address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, &channel->address.any, channel->address.len) != 0) {
		channel->retry_ms = now_ms + RETRY_MS;
		channel_fail(channel, lines, errno);
		return false;
	}
	channel->fd = fd;
	fd = -1;
	return true;
}

/* Counts a refused send and says whether the same line may be tried again.  What
 * UDP reports as refused was an earlier line; this one has not been sent yet.  A
 * unix socket whose reader went away needs a new connection. */
static bool datagrams_fail(struct log_channel *channel, int error)
{
	if (error == EINTR)
		return true;
	channel_fail(channel, 1, error);
	if (channel->config_kind == CONFIG_LOG_UDP)
		return error == ECONNREFUSED;
	if (error != EAGAIN && error != ENOBUFS && error != EMSGSIZE) {
		channel->retry_ms = clock_monotonic_ms() + RETRY_MS;
		fd_close(&channel->fd);
	}
	return false;
}

static void datagrams_send(struct log_channel *channel)
{
	struct mmsghdr messages[BATCH_MAX] = {0};
	unsigned sent = 0;
	for (unsigned i = 0; i < channel->queued; i++) {
		messages[i].msg_hdr.msg_iov = channel->lines[i].parts;
		messages[i].msg_hdr.msg_iovlen = PARTS;
	}
	for (unsigned attempts = 0; sent < channel->queued && attempts < 2 * BATCH_MAX; attempts++) {
		unsigned left = channel->queued - sent;
		if (!channel_open(channel, left))
			return;
		int count = sendmmsg(channel->fd, messages + sent, left, MSG_NOSIGNAL);
		if (count > 0)
			sent += (unsigned)count;
		else if (!datagrams_fail(channel, errno))
			sent++;
	}
}

/* Waits for a slow reader, but only so long in each second. */
static bool channel_wait(struct log_channel *channel)
{
	uint64_t now_ms = clock_monotonic_ms();
	struct pollfd watched = {.fd = channel->fd, .events = POLLOUT};
	if (now_ms / 1000 != channel->patience_second) {
		channel->patience_second = now_ms / 1000;
		channel->patience_ms = PATIENCE_MS;
	}
	int ready = poll(&watched, 1, channel->patience_ms);
	channel->patience_ms -= (int)(clock_monotonic_ms() - now_ms);
	if (channel->patience_ms < 0)
		channel->patience_ms = 0;
	return ready > 0 && (watched.revents & POLLOUT);
}

/* One attempt without waiting: bytes written or -errno. */
static ssize_t channel_write_once(struct log_channel *channel, struct iovec *parts, int count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
	struct pollfd watched = {.fd = channel->fd, .events = POLLOUT};
	ssize_t written = -1;
	if (channel->kind == CHANNEL_STREAM) {
		written = sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		return written < 0 ? -errno : written;
	}
	if (channel->kind == CHANNEL_PIPE && !channel->refuses_nowait) {
		written = pwritev2(channel->fd, parts, count, -1, RWF_NOWAIT);
		if (written >= 0 || errno != EOPNOTSUPP)
			return written < 0 ? -errno : written;
		channel->refuses_nowait = true;
	}
	if (channel->kind == CHANNEL_PIPE && poll(&watched, 1, 0) <= 0)
		return -EAGAIN;
	written = writev(channel->fd, parts, count);
	return written < 0 ? -errno : written;
}

static void parts_advance(struct iovec *parts, size_t len)
{
	for (unsigned i = 0; i < PARTS; i++) {
		size_t taken = parts[i].iov_len < len ? parts[i].iov_len : len;
		parts[i].iov_base = (char *)parts[i].iov_base + taken;
		parts[i].iov_len -= taken;
		len -= taken;
	}
}

static size_t parts_length(const struct iovec *parts)
{
	size_t len = 0;
	for (unsigned i = 0; i < PARTS; i++)
		len += parts[i].iov_len;
	return len;
}

/* A line that was begun and not ended is closed before the next one. */
static bool line_write(struct log_channel *channel, struct iovec *parts)
{
	struct iovec end = {.iov_base = newline, .iov_len = 1};
	size_t whole = parts_length(parts);
	if (channel->is_mid_line && channel_write_once(channel, &end, 1) == 1)
		channel->is_mid_line = false;
	while (parts_length(parts) > 0) {
		ssize_t written = channel_write_once(channel, parts, PARTS);
		if (written > 0) {
			parts_advance(parts, (size_t)written);
			continue;
		}
		if (written == -EINTR || (written == -EAGAIN && channel_wait(channel)))
			continue;
		channel->is_mid_line = channel->is_mid_line || parts_length(parts) < whole;
		channel_fail(channel, 1, (int)-written);
		return false;
	}
	return true;
}

void log_channel_flush(struct log_channel *channel)
{
	if (channel->queued == 0)
		return;
	if (channel->kind == CHANNEL_DATAGRAM) {
		datagrams_send(channel);
	} else {
		for (unsigned i = 0; i < channel->queued; i++)
			(void)line_write(channel, channel->lines[i].parts);
	}
	channel->queued = 0;
}

void log_channel_add(struct log_channel *channel, struct log_header *header, const struct config_log *target,
	const struct log_line *line)
{
	if (channel->queued == BATCH_MAX)
		log_channel_flush(channel);
	struct queued_line *queued = &channel->lines[channel->queued++];
	size_t header_len = log_header_print(header, target, line, queued->header);
	size_t len = line->len;
	size_t length_max = target->length_max > 0 ? target->length_max : 1024;
	if (header_len > length_max - 1)
		header_len = length_max - 1;
	if (header_len + len + 1 > length_max)
		len = length_max - 1 - header_len;
	queued->parts[0] = (struct iovec){.iov_base = queued->header, .iov_len = header_len};
	queued->parts[1] = (struct iovec){.iov_base = (char *)(uintptr_t)line->bytes, .iov_len = len};
	queued->parts[2] = (struct iovec){.iov_base = newline, .iov_len = 1};
}
