/* Tries the socket relay on this kernel: on loopback sockets, and with segments that overlap
 * behind a TUN. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bpf/sockmap_far.h"
#include "bpf/sockmap_internal.h"

enum {
	WAIT_MS = 500,
	CHUNK = 4096,
	RETRY_BYTES = 256 << 10, /* many times what the small target takes at once */
	SMALL = 4096, /* a send buffer */
};

/* Two connections: client - source, target - server.  Bytes are a pattern of their offset. */
struct rig {
	struct sockmap_table *table;
	int client, source, target, server;
	bool has_fionread;
};

typedef const char *attempt(struct rig *rig);

static uint8_t pattern(unsigned offset)
{
	return (uint8_t)(offset * 2654435761u >> 24);
}

static bool await(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};
	return poll(&wait, 1, WAIT_MS) == 1;
}

static int listen_on(uint32_t address, uint16_t *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = address};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 1) != 0 ||
		getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		fd_close(&fd);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int accept_from(int listener)
{
	if (!await(listener, POLLIN))
		return -1;
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static bool connect_pair(int *ret_active, int *ret_passive)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t port;
	FD_AUTO int listener = listen_on(to.sin_addr.s_addr, &port);
	to.sin_port = htons(port);
	*ret_active = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0 || *ret_active < 0)
		return false;
	if (connect(*ret_active, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
		return false;
	*ret_passive = accept_from(listener);
	return *ret_passive >= 0;
}

static bool send_pattern(int fd, unsigned from, unsigned to)
{
	uint8_t bytes[CHUNK];
	while (from < to) {
		unsigned len = to - from < CHUNK ? to - from : CHUNK;
		for (unsigned i = 0; i < len; i++)
			bytes[i] = pattern(from + i);
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent < 0 && (errno != EAGAIN || !await(fd, POLLOUT)))
			return false;
		from += sent < 0 ? 0 : (unsigned)sent;
	}
	return true;
}

/* Whether exactly these bytes come next. */
static bool receive_pattern(int fd, unsigned from, unsigned to)
{
	uint8_t bytes[CHUNK];
	while (from < to) {
		ssize_t len = recv(fd, bytes, to - from < CHUNK ? to - from : CHUNK, 0);
		if (len < 0 && errno == EAGAIN && await(fd, POLLIN))
			continue;
		if (len <= 0)
			return false;
		for (unsigned i = 0; i < (unsigned)len; i++)
			if (bytes[i] != pattern(from + i))
				return false;
		from += (unsigned)len;
	}
	return true;
}

static bool is_quiet(int fd)
{
	uint8_t byte;
	return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

static bool has_ended(int fd)
{
	uint8_t byte;
	return await(fd, POLLIN | POLLRDHUP) && recv(fd, &byte, 1, MSG_PEEK) == 0;
}

static bool enter(struct rig *rig)
{
	const int fds[2] = {rig->source, rig->target};
	return sockmap_pair_add(rig->table, 0, fds) == 0 &&
		sockmap_source_add(rig->table, 0, rig->source) == 0 &&
		sockmap_source_add(rig->table, 1, rig->target) == 0;
}

/* Direction 0 relays `from` to `to` by this thread. */
static bool relay(struct rig *rig, unsigned from, unsigned to)
{
	if (!receive_pattern(rig->source, from, to) || sockmap_direction_is_drained(rig->table, 0) != 1)
		return false;
	sockmap_direction_take(rig->table, 0, to - from);
	if (!send_pattern(rig->target, from, to))
		return false;
	sockmap_direction_send(rig->table, 0, to - from);
	return sockmap_direction_settle(rig->table, 0);
}

static const char *try_early(struct rig *rig)
{
	uint8_t head[5];
	if (!send_pattern(rig->client, 0, 20) || !await(rig->source, POLLIN) ||
		recv(rig->source, head, sizeof(head), 0) != sizeof(head) ||
		!send_pattern(rig->target, 0, sizeof(head)))
		return "sockets do not work";
	if (!enter(rig))
		return "a connection cannot be entered";
	if (!relay(rig, sizeof(head), 20) || !receive_pattern(rig->server, 0, 20))
		return "bytes that come before it are lost or repeated";
	if (!send_pattern(rig->client, 20, 30) || !await(rig->source, POLLIN))
		return "passed bytes wake nobody";
	int waiting = 0;
	rig->has_fionread = ioctl(rig->source, FIONREAD, &waiting) == 0 && waiting == 10;
	return relay(rig, 20, 30) && receive_pattern(rig->server, 20, 30) ? NULL : "passed bytes are lost";
}

static void redirect(struct rig *rig)
{
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_REDIRECT);
	sockmap_direction_set_mode(rig->table, 1, SOCKMAP_REDIRECT);
}

static const char *try_redirect(struct rig *rig)
{
	redirect(rig);
	struct sockmap_count count;
	if (!send_pattern(rig->client, 30, 5000) || !receive_pattern(rig->server, 30, 5000))
		return "redirected bytes are lost or changed";
	sockmap_direction_read(rig->table, 0, &count);
	if (count.redirected != 4970 || count.passed != 25)
		return "bytes are not redirected, or counted wrongly";
	return is_quiet(rig->source) ? NULL : "redirected bytes come back";
}

static const char *try_leave(struct rig *rig)
{
	const unsigned direction = 0;
	if (sockmap_leave(rig->table, &direction, 1) != 1)
		return "a socket cannot leave under its lock";
	if (!send_pattern(rig->client, 5000, 6000) || !receive_pattern(rig->source, 5000, 6000))
		return "bytes are lost after leaving";
	return NULL;
}

/* Its own end sent, the client still gets what the server answers. */
static const char *try_end(struct rig *rig)
{
	if (sockmap_source_add(rig->table, 0, rig->source) != 0)
		return "a socket that has left cannot come back";
	sockmap_direction_set_mode(rig->table, 0, SOCKMAP_REDIRECT);
	if (shutdown(rig->client, SHUT_WR) != 0 || !has_ended(rig->source))
		return "an end is not seen";
	/* The target's worker would have met the end before the answer. */
	if (!send_pattern(rig->server, 0, 3000) || !receive_pattern(rig->client, 0, 3000))
		return "after an end the answer is lost";
	if (!is_quiet(rig->server) || fd_pending_error(rig->target) != 0)
		return "an end breaks the other connection";
	return NULL;
}

/* With the room rule out, so that the kernel has to try again and again. */
static const char *try_retries(struct rig *rig)
{
	int small = SMALL;
	if (setsockopt(rig->target, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) != 0 || !enter(rig))
		return "a connection cannot be entered";
	redirect(rig);
	if (!send_pattern(rig->client, 0, RETRY_BYTES) || !receive_pattern(rig->server, 0, RETRY_BYTES))
		return "bytes are lost or repeated when the target is full";
	return is_quiet(rig->server) ? NULL : "bytes are repeated when the target is full";
}

static const char *try_overlap(struct rig *rig, struct sockmap_far *far)
{
	static const struct {
		unsigned from, to;
	} segments[] = {{0, 10}, {5, 20}, {0, 10}, {30, 40}, {15, 36}, {25, 50}};
	uint8_t bytes[100];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(i);
	if (!enter(rig))
		return "a connection cannot be entered";
	/* Passed and redirected. */
	for (unsigned round = 0; round < 2; round++) {
		unsigned base = 50 * round;
		for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
			if (sockmap_far_send(far, bytes, base + segments[i].from, base + segments[i].to, 0) !=
				0)
				return "segments cannot be sent";
		if (sockmap_far_await(far, base + 50, WAIT_MS) != 0)
			return "segments are not taken";
		if (round == 0 && !relay(rig, 0, 50))
			return "overlapping segments are passed wrongly";
		if (!receive_pattern(rig->server, base, base + 50) || !is_quiet(rig->server))
			return "overlapping segments are relayed wrongly";
		redirect(rig);
	}
	return NULL;
}

static void rig_close(struct rig *rig)
{
	const int fds[2] = {rig->source, rig->target};
	if (rig->table != NULL)
		sockmap_pair_del(rig->table, 0, fds);
	fd_close(&rig->client);
	fd_close(&rig->source);
	fd_close(&rig->target);
	fd_close(&rig->server);
	sockmap_table_destroy(rig->table);
}

/* NULL, or what is wrong. */
static const char *run_loopback(attempt *const *attempts, unsigned rules_off, bool *ret_has_fionread)
{
	struct rig rig = {.client = -1, .source = -1, .target = -1, .server = -1};
	static _Thread_local char reason[SOCKMAP_REASON_MAX];
	const char *wrong = NULL;
	if (sockmap_table_create_without(1, rules_off, &rig.table, reason) != 0)
		wrong = reason;
	else if (!connect_pair(&rig.client, &rig.source) || !connect_pair(&rig.target, &rig.server))
		wrong = "no loopback connection";
	for (unsigned i = 0; wrong == NULL && attempts[i] != NULL; i++)
		wrong = attempts[i](&rig);
	if (ret_has_fionread != NULL)
		*ret_has_fionread = rig.has_fionread;
	rig_close(&rig);
	return wrong;
}

static const char *run_far(struct sockmap_far *far, uint32_t address, unsigned rules_off)
{
	struct rig rig = {.client = -1, .source = -1, .target = -1, .server = -1};
	char reason[SOCKMAP_REASON_MAX];
	const char *wrong = "no connection through the TUN";
	uint16_t port;
	FD_AUTO int listener = listen_on(address, &port);
	if (sockmap_table_create_without(1, rules_off, &rig.table, reason) == 0 && listener >= 0 &&
		sockmap_far_connect(far, port) == 0) {
		rig.source = accept_from(listener);
		if (rig.source >= 0 && connect_pair(&rig.target, &rig.server))
			wrong = try_overlap(&rig, far);
	}
	rig_close(&rig);
	return wrong;
}

static bool loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	FD_AUTO int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* NULL when crafted segments were relayed rightly; *ret_hindrance when none could be made. */
static const char *run_crafted(bool is_alone, unsigned rules_off, const char **ret_hindrance)
{
	struct sockmap_far far;
	uint32_t address;
	if (!is_alone) {
		*ret_hindrance = "no network namespace for it";
		return NULL;
	}
	if (sockmap_far_open(&far, &address) != 0) {
		*ret_hindrance = "no TUN interface";
		return NULL;
	}
	const char *wrong = run_far(&far, address, rules_off);
	sockmap_far_close(&far);
	return wrong;
}

struct trial {
	unsigned rules_off;
	char *words;
	bool is_fit;
};

static void say(struct trial *trial, const char *hindrance, bool has_fionread)
{
	snprintf(trial->words, SOCKMAP_REASON_MAX, "tried on loopback%s%s%s%s",
		hindrance == NULL ? " and with overlapping segments" : "; overlapping segments untried (",
		hindrance == NULL ? "" : hindrance, hindrance == NULL ? "" : ")",
		has_fionread ? "" : "; FIONREAD does not count passed bytes (nothing here asks it)");
}

/* In a thread of its own, as a network namespace is a thread's: it ends with it.  Without one
 * the cutting of packets is still tried by one that was read in part. */
static void *run(void *ctx)
{
	static attempt *const ordinary[] = {try_early, try_redirect, try_leave, try_end, NULL};
	static attempt *const small[] = {try_retries, NULL};
	const char *hindrance = NULL;
	struct trial *trial = ctx;
	bool has_fionread = false;
	bool is_alone = unshare(CLONE_NEWNET) == 0 && loopback_up();
	const char *wrong = run_loopback(ordinary, trial->rules_off, &has_fionread);
	if (wrong == NULL)
		wrong = run_loopback(small, trial->rules_off | SOCKMAP_RULE_ROOM, NULL);
	if (wrong == NULL)
		wrong = run_crafted(is_alone, trial->rules_off, &hindrance);
	trial->is_fit = wrong == NULL;
	if (trial->is_fit)
		say(trial, hindrance, has_fionread);
	else
		snprintf(trial->words, SOCKMAP_REASON_MAX, "%s", wrong);
	return NULL;
}

int sockmap_selftest_without(unsigned rules_off, char *ret_words)
{
	struct trial trial = {.rules_off = rules_off, .words = ret_words};
	pthread_t thread;
	int error = pthread_create(&thread, NULL, run, &trial);
	if (error != 0) {
		snprintf(ret_words, SOCKMAP_REASON_MAX, "no thread to try it in: %s", strerror(error));
		return -error;
	}
	pthread_join(thread, NULL);
	return trial.is_fit ? 0 : -EOPNOTSUPP;
}

int sockmap_selftest(char *ret_words)
{
	return sockmap_selftest_without(0, ret_words);
}
