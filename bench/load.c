/* The load of bench/compare.py: one server that sinks, sources or echoes as the
 * first byte of a connection asks (U; D by send(2), F by sendfile(2); E), and clients for bulk, ping-pong,
 * churn and idle connections.  One thread, epoll; each client prints one line of
 * JSON and ends by itself. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"

enum { BLOCK_BYTES = 256 * 1024, FILE_BYTES = 1024 * 1024, EVENTS = 512, FDS = 65536, MESSAGE_MAX = 65536 };

enum role { ROLE_NONE, ROLE_SINK, ROLE_SOURCE, ROLE_SOURCE_FILE, ROLE_ECHO, ROLE_LISTENER };

struct connection {
	enum role role;
	bool is_connected;
	uint32_t sent, received; /* of the message under way */
	uint64_t started_ns;
};

static struct connection connections[FDS];
static char block[BLOCK_BYTES];
static int poller, file = -1;
static struct histogram histogram;
static uint64_t bytes_total, messages_total, errors_total;
static struct sockaddr_storage target;
static socklen_t target_len;
static uint32_t message_bytes;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void address_parse(const char *host, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
		target_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
		target_len = sizeof(*v6);
	} else {
		fprintf(stderr, "load: not an address: %s\n", host);
		exit(2);
	}
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static void forget(int fd)
{
	connections[fd] = (struct connection){0};
	close(fd);
}

/* --- server --- */

static void server_accept(int listener)
{
	int one = 1;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= FDS) {
			close(fd);
			return;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		connections[fd] = (struct connection){0};
		watch(fd, EPOLLIN | EPOLLRDHUP);
	}
}

/* Files are pages already: so a proxy's work is measured, not the generator's copying. */
static ssize_t file_send(int fd)
{
	off_t offset = 0;
	return sendfile(fd, file, &offset, FILE_BYTES);
}

static ssize_t block_send(int fd)
{
	return send(fd, block, BLOCK_BYTES, MSG_NOSIGNAL);
}

static ssize_t bulk_send(int fd, enum role role)
{
	return role == ROLE_SOURCE_FILE ? file_send(fd) : block_send(fd);
}

static void file_make(void)
{
	file = memfd_create("load", MFD_CLOEXEC);
	for (unsigned i = 0; i < FILE_BYTES / BLOCK_BYTES; i++)
		if (write(file, block, BLOCK_BYTES) != BLOCK_BYTES)
			die("memfd");
}

static void server_source(int fd)
{
	while (bulk_send(fd, connections[fd].role) > 0)
		;
	if (errno != EAGAIN)
		forget(fd);
}

static bool is_source(enum role role)
{
	return role == ROLE_SOURCE || role == ROLE_SOURCE_FILE;
}

static void server_role_learn(int fd)
{
	char first;
	ssize_t got = recv(fd, &first, 1, MSG_PEEK);
	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		forget(fd);
		return;
	}
	if (got != 1)
		return;
	enum role role = first == 'U' ? ROLE_SINK
		: first == 'D'        ? ROLE_SOURCE
		: first == 'F'        ? ROLE_SOURCE_FILE
				      : ROLE_ECHO;
	connections[fd].role = role;
	if (is_source(role)) {
		struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
		epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
	}
}

static void server_serve(int fd)
{
	struct connection *connection = &connections[fd];
	if (connection->role == ROLE_LISTENER) {
		server_accept(fd);
		return;
	}
	if (connection->role == ROLE_NONE)
		server_role_learn(fd);
	if (is_source(connection->role))
		server_source(fd);
	if (connection->role == ROLE_SINK) {
		ssize_t got = recv(fd, block, 1 << 20, MSG_TRUNC);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			forget(fd);
	}
	if (connection->role == ROLE_ECHO) {
		ssize_t got = recv(fd, block, MESSAGE_MAX, 0);
		if (got > 0 && send(fd, block, (size_t)got, MSG_NOSIGNAL) == got)
			return;
		if (got >= 0 || errno != EAGAIN)
			forget(fd);
	}
}

static _Noreturn void serve(void)
{
	int one = 1;
	int listener = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&target, target_len) != 0 || listen(listener, 65535) != 0)
		die("listen");
	connections[listener].role = ROLE_LISTENER;
	watch(listener, EPOLLIN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < count; i++)
			server_serve(events[i].data.fd);
	}
}

/* --- clients --- */

static int client_connect(bool is_blocking)
{
	int one = 1;
	int fd = socket(target.ss_family, SOCK_STREAM | (is_blocking ? 0 : SOCK_NONBLOCK), 0);
	if (fd < 0 || fd >= FDS)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&target, target_len) != 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void bulk_step(int fd, bool is_up, enum role role)
{
	ssize_t moved = is_up ? bulk_send(fd, role) : recv(fd, block, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);
	if (moved > 0)
		bytes_total += (uint64_t)moved;
	else if (moved == 0 || errno != EAGAIN)
		errors_total++;
}

static void bulk(unsigned streams, double seconds, bool is_up, enum role role)
{
	const char first = is_up ? 'U' : role == ROLE_SOURCE_FILE ? 'F' : 'D';
	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < streams; i++) {
		int fd = client_connect(true);
		if (send(fd, &first, 1, 0) != 1)
			die("send");
		if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
			die("fcntl");
		watch(fd, is_up ? EPOLLOUT : EPOLLIN);
	}
	uint64_t warm_ns = now_ns() + (uint64_t)(seconds * 0.2e9);
	uint64_t start_ns = 0, end_ns = warm_ns;
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(poller, events, EVENTS, 1000);
		if (count <= 0 || errors_total > 0)
			break;
		for (int i = 0; i < count; i++)
			bulk_step(events[i].data.fd, is_up, role);
		uint64_t now = now_ns();
		if (start_ns == 0 && now >= warm_ns) {
			start_ns = now;
			end_ns = now + (uint64_t)(seconds * 1e9);
			bytes_total = 0;
		} else if (start_ns != 0 && now >= end_ns) {
			break;
		}
	}
	double elapsed = (double)(now_ns() - start_ns) / 1e9;
	printf("{\"bytes\": %llu, \"seconds\": %.6f, \"gbytes_per_s\": %.4f, \"errors\": %llu}\n",
		(unsigned long long)bytes_total, elapsed, (double)bytes_total / elapsed / 1e9,
		(unsigned long long)errors_total);
}

static void message_send(int fd, struct connection *connection)
{
	connection->received = 0;
	connection->started_ns = now_ns();
	if (send(fd, block, message_bytes, MSG_NOSIGNAL) != (ssize_t)message_bytes)
		errors_total++;
}

/* Returns true when a whole answer is in. */
static bool message_receive(int fd, struct connection *connection)
{
	char answer[MESSAGE_MAX];
	ssize_t got = recv(fd, answer, sizeof(answer), 0);
	if (got <= 0) {
		errors_total += got == 0 || errno != EAGAIN;
		return false;
	}
	if (memcmp(answer, block + connection->received, (size_t)got) != 0)
		errors_total++;
	connection->received += (uint32_t)got;
	if (connection->received < message_bytes)
		return false;
	histogram_add(&histogram, now_ns() - connection->started_ns);
	messages_total++;
	return true;
}

static void report_messages(const char *name, double elapsed)
{
	printf("{\"%s\": %llu, \"seconds\": %.6f, \"per_s\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
	       "\"p999_us\": %.1f, \"max_us\": %.1f, \"errors\": %llu}\n",
		name, (unsigned long long)messages_total, elapsed, (double)messages_total / elapsed,
		(double)histogram_quantile(&histogram, 0.5) / 1e3,
		(double)histogram_quantile(&histogram, 0.9) / 1e3,
		(double)histogram_quantile(&histogram, 0.99) / 1e3,
		(double)histogram_quantile(&histogram, 0.999) / 1e3, (double)histogram.highest / 1e3,
		(unsigned long long)errors_total);
}

static void pingpong(unsigned count, double seconds)
{
	for (unsigned i = 0; i < message_bytes; i++)
		block[i] = i == 0 ? 'E' : (char)('a' + i % 23);
	for (unsigned i = 0; i < count; i++) {
		int fd = client_connect(true);
		watch(fd, EPOLLIN);
		message_send(fd, &connections[fd]);
	}
	uint64_t warm_ns = now_ns() + (uint64_t)(seconds * 0.2e9), start_ns = 0;
	for (;;) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(poller, events, EVENTS, 1000);
		if (ready <= 0 || errors_total > 0)
			break;
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;
			if (message_receive(fd, &connections[fd]))
				message_send(fd, &connections[fd]);
		}
		uint64_t now = now_ns();
		if (start_ns == 0 && now >= warm_ns) {
			start_ns = now;
			messages_total = 0;
			memset(&histogram, 0, sizeof(histogram));
		} else if (start_ns != 0 && now >= start_ns + (uint64_t)(seconds * 1e9)) {
			break;
		}
	}
	report_messages("messages", (double)(now_ns() - start_ns) / 1e9);
}

static void churn_start(void)
{
	int fd = client_connect(false);
	connections[fd] = (struct connection){.started_ns = now_ns()};
	watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void churn_step(int fd, uint32_t events)
{
	struct connection *connection = &connections[fd];
	if (!connection->is_connected && (events & EPOLLOUT)) {
		connection->is_connected = true;
		if (send(fd, block, message_bytes, MSG_NOSIGNAL) != (ssize_t)message_bytes)
			errors_total++;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	uint64_t errors_before = errors_total;
	if (message_receive(fd, connection) || errors_total != errors_before) {
		forget(fd);
		churn_start();
	}
}

static void churn(unsigned count, double seconds)
{
	for (unsigned i = 0; i < message_bytes; i++)
		block[i] = i == 0 ? 'E' : (char)('a' + i % 23);
	for (unsigned i = 0; i < count; i++)
		churn_start();
	uint64_t start_ns = now_ns(), now = start_ns;
	while (now < start_ns + (uint64_t)(seconds * 1e9) && errors_total < 1000) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(poller, events, EVENTS, 1000);
		for (int i = 0; i < ready; i++)
			churn_step(events[i].data.fd, events[i].events);
		now = now_ns();
	}
	report_messages("connections", (double)(now - start_ns) / 1e9);
}

/* One exchange on each, so that both sides are up; then quiet until stdin closes. */
static void idle(unsigned count)
{
	char answer[64];
	for (unsigned i = 0; i < count; i++) {
		int fd = client_connect(true);
		if (send(fd, "E", 1, MSG_NOSIGNAL) != 1 || recv(fd, answer, sizeof(answer), 0) != 1)
			die("idle connection");
	}
	printf("{\"connections\": %u}\n", count);
	fflush(stdout);
	while (read(0, answer, sizeof(answer)) > 0)
		;
}

static void fds_allow(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **words)
{
	if (count < 4) {
		fprintf(stderr,
			"usage: load server ADDR PORT\n"
			"       load bulk ADDR PORT STREAMS SECONDS up|down [send|sendfile]\n"
			"       load pingpong ADDR PORT CONNECTIONS SECONDS BYTES\n"
			"       load churn ADDR PORT CONNECTIONS SECONDS BYTES\n"
			"       load idle ADDR PORT CONNECTIONS\n");
		return 2;
	}
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &ignore, NULL);
	fds_allow();
	address_parse(words[2], words[3]);
	poller = epoll_create1(EPOLL_CLOEXEC);
	file_make();
	unsigned connections_count = count > 4 ? (unsigned)strtoul(words[4], NULL, 10) : 1;
	double seconds = count > 5 ? strtod(words[5], NULL) : 1;
	message_bytes = count > 6 ? (uint32_t)strtoul(words[6], NULL, 10) : 64;
	if (message_bytes == 0 || message_bytes > MESSAGE_MAX)
		message_bytes = 64;
	if (strcmp(words[1], "server") == 0)
		serve();
	else if (strcmp(words[1], "bulk") == 0)
		bulk(connections_count, seconds, count > 6 && strcmp(words[6], "up") == 0,
			count > 7 && strcmp(words[7], "send") == 0 ? ROLE_SOURCE : ROLE_SOURCE_FILE);
	else if (strcmp(words[1], "pingpong") == 0)
		pingpong(connections_count, seconds);
	else if (strcmp(words[1], "churn") == 0)
		churn(connections_count, seconds);
	else if (strcmp(words[1], "idle") == 0)
		idle(connections_count);
	return errors_total > 0 ? 1 : 0;
}
