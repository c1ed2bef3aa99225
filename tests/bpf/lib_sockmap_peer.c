/* The far ends of a line. */

#include "lib_sockmap_peer.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "bench/load/pattern.h"

enum { CHUNK = 64 << 10, TICK_MS = 20, PAUSE_MAX_MS = 4 };

static int sndbuf_wanted, rcvbuf_wanted;
static bool is_v6_wanted;

const char *peer_namespace_make(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (unshare(CLONE_NEWNET) != 0)
		return "no network namespace of our own";
	FD_AUTO int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pattern_setup();
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? NULL : "no loopback";
}

void peer_set_buffers(int sndbuf, int rcvbuf)
{
	sndbuf_wanted = sndbuf;
	rcvbuf_wanted = rcvbuf;
}

void peer_set_v6(bool is_v6)
{
	is_v6_wanted = is_v6;
}

static void set_option(int fd, int option, int value)
{
	if (value != 0)
		CHECK(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) == 0);
}

void peer_connect(int *ret_active, int *ret_passive)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *at = is_v6_wanted ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = is_v6_wanted ? sizeof(v6) : sizeof(v4);
	FD_AUTO int listener = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1, active = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (unsigned i = 0; i < 2; i++) {
		set_option(i == 0 ? listener : active, SO_SNDBUF, sndbuf_wanted);
		set_option(i == 0 ? listener : active, SO_RCVBUF, rcvbuf_wanted);
	}
	CHECK(bind(listener, at, len) == 0 && listen(listener, 1) == 0 &&
		getsockname(listener, at, &len) == 0);
	CHECK(connect(active, at, len) == 0);
	*ret_active = active;
	*ret_passive = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	for (unsigned i = 0; i < 2; i++) {
		int fd = i == 0 ? *ret_active : *ret_passive;
		CHECK(fd_set_nonblocking(fd) == 0);
		CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	}
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void pause_perhaps(const struct peer *peer, uint64_t *random)
{
	if (random_next(random) % 1000 < peer->pause_permille)
		(void)poll(NULL, 0, 1 + (int)(random_next(random) % PAUSE_MAX_MS));
}

static bool is_sending(const struct peer *peer)
{
	return peer->sent < peer->sends && (!peer->waits_for_end || peer->has_ended);
}

static void send_some(struct peer *peer, uint64_t *random)
{
	uint8_t bytes[CHUNK];
	struct pattern pattern = pattern_unique(peer->seed_out);
	uint64_t most = peer->chunk_max == 0 ? CHUNK : peer->chunk_max, left = peer->sends - peer->sent;
	uint64_t len = peer->pause_permille == 0 ? most : 1 + random_next(random) % most;
	len = len < left ? len : left;
	pattern_fill(&pattern, peer->sent, bytes, len);
	ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		peer->error = errno;
	if (sent > 0)
		__atomic_store_n(&peer->sent, peer->sent + (uint64_t)sent, __ATOMIC_RELEASE);
}

static void receive_some(struct peer *peer)
{
	uint8_t bytes[CHUNK];
	struct pattern pattern = pattern_unique(peer->seed_in);
	ssize_t len = recv(peer->fd, bytes, sizeof(bytes), 0);
	if (len < 0 && errno != EAGAIN)
		peer->error = errno;
	if (len == 0)
		__atomic_store_n(&peer->has_ended, true, __ATOMIC_RELEASE);
	if (len <= 0)
		return;
	size_t good = pattern_check(&pattern, peer->received, bytes, (size_t)len);
	if (good < (size_t)len && peer->bad_at == UINT64_MAX)
		__atomic_store_n(&peer->bad_at, peer->received + good, __ATOMIC_RELEASE);
	__atomic_store_n(&peer->received, peer->received + (uint64_t)len, __ATOMIC_RELEASE);
}

static void *run(void *ctx)
{
	struct peer *peer = ctx;
	uint64_t random = peer->seed_out * 2654435761u + 88172645463325252u;
	bool has_shut = false;
	while (!__atomic_load_n(&peer->is_stopped, __ATOMIC_ACQUIRE) && peer->error == 0) {
		bool is_reading = !peer->is_deaf && !peer->has_ended;
		struct pollfd wait = {.fd = peer->fd};
		wait.events = (short)((is_reading ? POLLIN : 0) | (is_sending(peer) ? POLLOUT : 0));
		bool may_end = !peer->waits_for_end || peer->has_ended;
		if (peer->sent == peer->sends && !has_shut && may_end)
			has_shut = shutdown(peer->fd, SHUT_WR) == 0;
		if (has_shut && !is_reading)
			break;
		if (poll(&wait, 1, TICK_MS) <= 0)
			continue;
		if (is_reading && wait.revents & (POLLIN | POLLERR | POLLHUP))
			receive_some(peer);
		if (wait.revents & POLLOUT)
			send_some(peer, &random);
		pause_perhaps(peer, &random);
	}
	return NULL;
}

void peer_start(struct peer *peer)
{
	peer->bad_at = UINT64_MAX;
	CHECK(pthread_create(&peer->thread, NULL, run, peer) == 0);
}

bool peer_is_done(const struct peer *peer)
{
	return __atomic_load_n(&peer->has_ended, __ATOMIC_ACQUIRE) &&
		__atomic_load_n(&peer->sent, __ATOMIC_ACQUIRE) == peer->sends;
}

const char *peer_stop(struct peer *peer, uint64_t expected)
{
	static _Thread_local char words[160];
	__atomic_store_n(&peer->is_stopped, true, __ATOMIC_RELEASE);
	pthread_join(peer->thread, NULL);
	if (peer->bad_at != UINT64_MAX)
		snprintf(words, sizeof(words), "byte %llu is wrong", (unsigned long long)peer->bad_at);
	else if (peer->error != 0)
		snprintf(words, sizeof(words), "%s", strerror(peer->error));
	else if (peer->received != expected || !peer->has_ended)
		snprintf(words, sizeof(words), "%llu of %llu bytes came, and %s end",
			(unsigned long long)peer->received, (unsigned long long)expected,
			peer->has_ended ? "an" : "no");
	else
		return NULL;
	return words;
}

uint64_t memory_available_kb(void)
{
	char line[128];
	static const char key[] = "MemAvailable:";
	unsigned long long kb = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	CHECK(file != NULL);
	while (kb == 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtoull(line + strlen(key), NULL, 10);
	fclose(file);
	return kb;
}
