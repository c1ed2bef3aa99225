/* The echo server of the 2019 article in which user space only accepts: the BPF
 * program echo_sockmap.bpf.c moves the bytes.  What it loses it does not know;
 * it tells when a connection ends with less sent than received. */
#include "echo.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"

/* bpftool's text casts const away. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "echo_sockmap.skel.h"
#pragma GCC diagnostic pop

enum {
	SEND_BUFFER_BYTES = 32 * 1024 * 1024, /* as the article's server: a full one is what hurts */
	EVENTS_MAX = 64,
};

struct server {
	const struct echo_options *options;
	int map, poller, listener;
	unsigned connections;
	bool is_over;
};

/* Bytes that came before the socket is in the map are echoed by hand; a byte
 * that comes between this and the insertion waits for the next one. */
static int echo_early_bytes(int fd)
{
	char buffer[4096];

	for (;;) {
		ssize_t count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int error;

		if (count < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (count == 0)
			return -ECONNRESET;
		error = echo_write_all(fd, buffer, (size_t)count);
		if (error < 0)
			return error;
	}
}

/* Returns 0 or a negative errno. */
static int insert_socket(struct server *server, int fd)
{
	int size = SEND_BUFFER_BYTES;
	uint64_t cookie = 0, value = (uint64_t)fd;
	socklen_t len = sizeof(cookie);
	struct epoll_event event = {.events = EPOLLRDHUP, .data.fd = fd};
	int error;

	/* Without the privilege the kernel's own sizing is better than what SO_SNDBUF allows. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	error = echo_early_bytes(fd);
	if (error < 0)
		return error;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0 ||
		bpf_map_update_elem(server->map, &cookie, &value, BPF_ANY) != 0 ||
		epoll_ctl(server->poller, EPOLL_CTL_ADD, fd, &event) != 0)
		return -errno;
	return 0;
}

static void accept_connection(struct server *server)
{
	FD_AUTO int fd = echo_accept(server->options, server->listener);
	int error;

	if (fd < 0) {
		echo_report("accept", -fd);
		return;
	}
	error = server->connections < ECHO_CONNECTIONS_MAX ? insert_socket(server, fd) : -EMFILE;
	if (error < 0) {
		echo_report("a connection was closed instead of entering the map", -error);
		server->is_over = server->options->is_once;
		return;
	}
	server->connections++;
	fd = -1; /* the poller's from here on */
}

static void end_connection(struct server *server, int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int error = fd_pending_error(fd);

	if (error != 0)
		echo_report("a connection in the map", error);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
		/* A FIN counts as a received byte. */
		uint64_t sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;

		if (info.tcpi_bytes_received > sent + 1)
			fprintf(stderr, "splicebench echo: sockmap sent %llu of %llu bytes back\n",
				(unsigned long long)sent, (unsigned long long)info.tcpi_bytes_received);
	}
	/* Closing takes the socket out of the map and drops what is still queued in it. */
	fd_close(&fd);
	server->connections--;
	server->is_over = server->options->is_once;
}

static int run_server(struct server *server)
{
	struct epoll_event accepting = {.events = EPOLLIN, .data.fd = server->listener};

	if (epoll_ctl(server->poller, EPOLL_CTL_ADD, server->listener, &accepting) != 0) {
		echo_report("epoll", errno);
		return 1;
	}
	echo_announce(server->listener);
	while (!server->is_over) {
		struct epoll_event events[EVENTS_MAX];
		int count = epoll_wait(server->poller, events, EVENTS_MAX, -1);

		if (count < 0 && errno != EINTR) {
			echo_report("epoll", errno);
			return 1;
		}
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == server->listener)
				accept_connection(server);
			else
				end_connection(server, events[i].data.fd);
		}
	}
	return 0;
}

static int be_silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void tell_unavailable(const char *step, int error)
{
	bool is_privilege = error == EPERM || error == EACCES;

	fprintf(stderr, "splicebench echo: sockmap is not available here: %s: %s%s\n", step, strerror(error),
		is_privilege ? " (it needs root, or CAP_BPF and CAP_NET_ADMIN)" : "");
}

static int serve_with_program(
	struct echo_sockmap_bpf *program, const struct echo_options *options, int listener)
{
	FD_AUTO int poller = epoll_create1(EPOLL_CLOEXEC);
	struct server server = {.options = options, .poller = poller, .listener = listener};

	if (poller < 0) {
		echo_report("epoll", errno);
		return 1;
	}
	server.map = bpf_map__fd(program->maps.sockets);
	if (bpf_prog_attach(bpf_program__fd(program->progs.echo_verdict), server.map,
		    BPF_SK_SKB_STREAM_VERDICT, 0) != 0) {
		tell_unavailable("attaching the BPF program", errno);
		return 1;
	}
	return run_server(&server);
}

int echo_sockmap_serve(const struct echo_options *options, int listener)
{
	struct rlimit memory = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct echo_sockmap_bpf *program;
	int status;

	/* Kernels before 5.11 charge maps to this limit; the load tells if it matters. */
	(void)setrlimit(RLIMIT_MEMLOCK, &memory);
	libbpf_set_print(be_silent);
	program = echo_sockmap_bpf__open_and_load();
	if (!program) {
		tell_unavailable("loading the BPF program", errno);
		return 1;
	}
	status = serve_with_program(program, options, listener);
	echo_sockmap_bpf__destroy(program);
	return status;
}
