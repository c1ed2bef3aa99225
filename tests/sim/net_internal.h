/* What the files of the network model share. */
#pragma once

#include "net_fake.h"

enum fd_kind { FD_FREE, FD_NEW, FD_LISTENER, FD_CONNECTION, FD_PIPE_READ, FD_PIPE_WRITE };

enum { PIPE_PARTS_MAX = 16, BACKLOG_MAX = 64 };

/* Bytes of one stream in a pipe. */
struct pipe_part {
	const struct net_connection *source;
	uint64_t position;
	uint32_t len;
};

struct net_fd {
	enum fd_kind kind;
	unsigned port; /* listener or server */
	struct net_connection *connection;
	int pipe_other; /* descriptor of the other end, -1: closed */
	uint32_t pipe_capacity, pipe_bytes;
	struct pipe_part parts[PIPE_PARTS_MAX]; /* kept at the reading end */
	unsigned parts_count;
	struct net_connection *backlog[BACKLOG_MAX];
	unsigned backlog_count;
};

/* NULL for one that is not open. */
struct net_fd *net_fd_of(int fd);
/* The lowest free one, as the kernel does. */
int net_fd_open(enum fd_kind kind);
void net_fd_free(int fd);
/* The server's answer to a connect; -1 with errno, or 0 and it is under way. */
int net_server_connect(int fd, unsigned port);
void net_connection_close(struct net_connection *connection);
struct net_connection *net_backlog_take(struct net_fd *listener);

/* Moves bytes of the model; the sizes are what the kernel would grant. */
uint32_t net_readable(const struct net_connection *connection);
uint32_t net_room(const struct net_connection *connection);
void net_taken(struct net_connection *connection, uint32_t len);
void net_sent(struct net_connection *connection, uint32_t len);
/* The error or end that a read meets when no data is there: 0, -1 with errno. */
int net_read_end(struct net_connection *connection);
/* 0 when something may be sent, else the errno. */
int net_write_error(struct net_connection *connection);
void net_pair(struct net_connection *connection);
/* Fails the seed unless the bytes at `position` of `source` are what `target` must get next. */
void net_order_check(
	struct net_connection *target, const struct net_connection *source, uint64_t position, uint32_t len);

/* peers.c */
void peers_start(void);
bool peers_are_stopped(void);
void peer_draw(struct net_connection *connection);
void peer_act(struct net_connection *connection);
void peer_reset(struct net_connection *connection);
uint64_t net_delay_us(void);
/* Sets *at to an earlier moment. */
void net_sooner(uint64_t *at, uint64_t us);
bool net_injects(unsigned per_mille);
