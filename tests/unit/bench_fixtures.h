/* For tests of splicebench's loads: a server in this process, and a relay before it
 * that spoils one byte, loses some or sends some twice. */
#pragma once

#include "../../bench/load/run.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum fault { FAULT_NONE, FAULT_FLIP, FAULT_LOSE, FAULT_REPEAT, FAULT_BREAK };
enum { FAULT_BYTES = 64, RELAY_BYTES = 64 * 1024 };

/* One connection is carried; the fault comes at `place` of the bytes that go up or down. */
struct relay {
	struct place here, server;
	int listener;
	pthread_t thread;
	enum fault fault;
	bool is_fault_up;
	uint64_t place;
	uint64_t moved[2]; /* up, down */
};

static inline struct place place_any(void)
{
	struct place place = {.address.len = sizeof(place.address.v4)};
	place.address.v4.sin_family = AF_INET;
	place.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return place;
}

/* Nobody listens there, and likely nobody will for a while. */
static inline struct place place_free(void)
{
	struct place place = place_any();
	const char *what;
	int listener = place_listen(&place, &what);
	CHECK(listener >= 0 && place_learn(listener, &place) == 0);
	close(listener);
	return place;
}

/* Fails quietly when the other side is gone. */
static inline bool relay_send(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		len -= (size_t)sent;
	}
	return true;
}

static inline bool relay_spoil(const struct relay *relay, int fd, uint8_t *bytes, size_t len)
{
	size_t few = len < FAULT_BYTES ? len : FAULT_BYTES;
	switch (relay->fault) {
	case FAULT_FLIP:
		bytes[0] ^= 4;
		return relay_send(fd, bytes, len);
	case FAULT_LOSE:
		return relay_send(fd, bytes + few, len - few);
	case FAULT_REPEAT:
		return relay_send(fd, bytes, few) && relay_send(fd, bytes, len);
	case FAULT_BREAK:
		return false;
	case FAULT_NONE:
		return relay_send(fd, bytes, len);
	}
	CHECK(false);
}

static inline bool relay_move(struct relay *relay, int from, int to, bool is_up)
{
	uint8_t bytes[RELAY_BYTES];
	uint64_t *moved = &relay->moved[is_up ? 0 : 1];
	ssize_t got = recv(from, bytes, sizeof(bytes), 0);
	if (got == 0)
		return shutdown(to, SHUT_WR) == 0;
	if (got < 0)
		return false;
	size_t len = (size_t)got, before = 0;
	bool is_here = relay->fault != FAULT_NONE && is_up == relay->is_fault_up && relay->place >= *moved &&
		relay->place < *moved + len;
	if (is_here)
		before = (size_t)(relay->place - *moved);
	*moved += len;
	if (!is_here)
		return relay_send(to, bytes, len);
	return relay_send(to, bytes, before) && relay_spoil(relay, to, bytes + before, len - before);
}

static inline void *relay_main(void *argument)
{
	struct relay *relay = argument;
	struct pollfd fds[2] = {{.fd = relay->listener, .events = POLLIN}};
	CHECK(poll(fds, 1, 10000) == 1);
	int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(client >= 0 && connect(server, &relay->server.address.any, relay->server.address.len) == 0);
	fds[0] = (struct pollfd){.fd = client, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = server, .events = POLLIN};
	bool is_good = true;
	while (is_good && (fds[0].fd >= 0 || fds[1].fd >= 0) && poll(fds, 2, 10000) > 0) {
		for (unsigned i = 0; i < 2 && is_good; i++) {
			char next;
			int from = i == 0 ? client : server;
			if (fds[i].revents == 0)
				continue;
			if (recv(from, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
				fds[i].fd = -1;
			is_good = relay_move(relay, from, i == 0 ? server : client, i == 0);
		}
	}
	close(client);
	close(server);
	return NULL;
}

static inline void relay_start(struct relay *relay, const struct place *server)
{
	const char *what;
	relay->server = *server;
	relay->here = place_any();
	relay->listener = place_listen(&relay->here, &what);
	CHECK(relay->listener >= 0 && place_learn(relay->listener, &relay->here) == 0);
	CHECK(pthread_create(&relay->thread, NULL, relay_main, relay) == 0);
}

static inline void relay_stop(struct relay *relay)
{
	CHECK(pthread_join(relay->thread, NULL) == 0);
	close(relay->listener);
}
