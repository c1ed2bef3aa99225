/* The life of one client connection, from accept to its log line.
 *
 * Owned by one worker; every function here runs on that worker's thread unless
 * it says otherwise.  States and their arrows are one table in session.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "log/log_sender.h"
#include "log/record.h"
#include "loop/loop.h"
#include "net/acceptor.h"
#include "net/frontend.h"
#include "relay/relay_worker.h"
#include "rule/facts.h"
#include "session/close_reason.h"

enum session_state {
	SESSION_HANDSHAKE, /* for the PROXY header that comes before the client's bytes */
	SESSION_INSPECTING, /* what the client sends first, as rules ask for it */
	SESSION_CHOOSING,
	SESSION_QUEUED, /* for a server's slot */
	SESSION_CONNECTING,
	SESSION_RETRYING, /* before the next try; for the same server after a turn-around */
	SESSION_RELAYING,
	SESSION_DRAINING, /* one direction has ended, or one side broke */
	SESSION_CLOSING, /* delivering the last bytes before a reset */
	SESSION_CLOSED,
	SESSION_STATES
};
const char *session_state_name(enum session_state state);

struct session;

/* Frontends and backends by their index in the configuration, and backends by name: what
 * rules lead to.  Made once and read by all workers. */
struct session_routes {
	struct frontend **frontends; /* [proxies]; NULL: none of that index */
	struct backend **backends; /* [proxies] */
	struct backend **by_name; /* [named], sorted */
	unsigned proxies, named;
};
/* Of lists that begin here.  Returns 0 or -ENOMEM; release cleans up after either. */
int session_routes_init(struct session_routes *routes, const struct config *config,
	struct frontend *frontends, struct backend *backends) MUST_USE;
void session_routes_release(struct session_routes *routes);
struct backend *session_routes_find(const struct session_routes *routes, const char *name);

/* A worker's sessions and what they share. */
struct session_table {
	struct loop *loop;
	struct relay_worker relay_worker; /* its options' sizes are set before init */
	struct pool pool, headers, tlvs; /* the latter two for sessions with accept-proxy */
	struct list sessions; /* in order of their ids */
	const struct config_global *global;
	struct accept_limits *limits;
	const struct session_routes *routes;
	struct rule_room *room; /* to evaluate rules in */
	uint8_t inspected
		[TLS_HELLO_STREAM_BYTES_MAX]; /* what a client has sent first, while it is looked at */
	struct log_ring *log_ring; /* NULL: no logging */
	unsigned worker; /* index of our counter blocks */
	uint64_t next_id, ids_step; /* ids are unique in the process */
	counter closes[CLOSE_REASONS];
	counter source_ports_missed; /* connections that found no source port, retries too */
	uint64_t source_ports_told_ms; /* when the log last said so; 0: never */
	counter sessions_ever;
	void *owner;
};

int session_table_init(struct session_table *table) MUST_USE;
/* Ends every session at once; both peers of each are reset. */
void session_table_kill_all(struct session_table *table, enum close_reason reason);
/* No session may be left (their memory goes at the end of the pass that closed them). */
void session_table_release(struct session_table *table);

/* acceptor's on_accept: takes fd over. */
void session_open(struct session_table *table, struct listener *listener, int fd, const struct address *peer);

/* Operator's `shutdown session`, hard stop: both ends are reset. */
void session_kill(struct session *session, enum close_reason reason);

/* Ends the sessions that have a connection to the server, or are making one, beginning
 * behind *after_id and looking at no more than `most` sessions.  Returns true when it
 * came to the end; else *after_id is where to go on. */
bool session_table_kill_server(struct session_table *table, const struct server *server,
	enum close_reason reason, uint64_t *after_id, unsigned most) MUST_USE;

/* First session with id > after_id (0: the first), or NULL. */
struct session *session_table_next(struct session_table *table, uint64_t after_id);
/* The session that follows this one, or NULL. */
struct session *session_table_after(struct session_table *table, const struct session *session);
struct session *session_table_find(struct session_table *table, uint64_t id);

/* A snapshot for show sess; no pointers into the session but to long-lived names. */
struct session_view {
	uint64_t id;
	enum session_state state;
	const char *frontend, *listener, *backend, *server; /* backend, server may be NULL */
	struct endpoint client, frontend_local, server_peer;
	struct endpoint peer; /* of the client's socket; another than client with accept-proxy */
	int client_fd, server_fd; /* -1: none */
	uint64_t age_ms, idle_ms[RELAY_SIDES];
	int64_t expires_in_ms; /* -1: no timer */
	uint64_t bytes[RELAY_SIDES]; /* by source */
	uint32_t held[RELAY_SIDES];
	const char *engines[RELAY_SIDES]; /* NULL before relaying */
	uint16_t moves[RELAY_SIDES];
	uint64_t engine_ms[RELAY_SIDES]; /* with the engine */
	const char *move_reasons[RELAY_SIDES]; /* a word for the last move; NULL: there was none */
	const char *away_words[RELAY_SIDES]; /* as relay_away_words() */
	uint32_t queued[RELAY_SIDES]; /* as in struct relay_direction */
	bool is_ended[RELAY_SIDES]; /* the source has closed */
	bool is_target_shut[RELAY_SIDES]; /* as in struct relay_direction */
	struct relay_packets packets[RELAY_SIDES]; /* of engines that see packets */
	const char
		*takeover_words; /* why no engine in the kernel carries it; "": none was tried, or one does */
	unsigned retries;
};
void session_view(struct session *session, struct session_view *ret_view);
