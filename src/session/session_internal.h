/* What the files of this folder share: the session itself and its steps. */
#pragma once

#include "proto/proxy_protocol.h"
#include "session/session.h"

/* A place in the queue outlives its session when a grant is already on its way. */
struct session_wait {
	struct queue_waiter waiter;
	struct session *session; /* NULL: it has left */
};

/* How a socket is given back. */
enum session_farewell {
	FAREWELL_ORDERLY, /* FIN after the bytes already accepted */
	FAREWELL_RESET, /* RST, so that the peer knows the stream is incomplete */
};

/* What a PROXY header brought beside addresses, kept for the server's and for logs. */
struct session_tlvs {
	struct session_tlv {
		bool is_present;
		uint8_t len;
		uint8_t bytes[255];
	} alpn, authority, unique_id;
};

/* Of a session whose listener has accept-proxy. */
struct session_header {
	struct endpoint peer; /* who sent the header */
	struct endpoint destination; /* as the header says; AF_UNSPEC: the socket's own */
	struct session_tlvs *tlvs; /* NULL: none came */
	const char *complaint; /* what is wrong with it; NULL: nothing */
	uint32_t wait_ms; /* until it was there */
};

struct session {
	struct list node; /* in table->sessions */
	struct session_table *table;
	uint64_t id;
	struct relay relay;
	struct loop_timer timer;
	struct loop_task free_task;
	struct listener *listener;
	struct backend *backend;
	struct server *server; /* holds a slot on it; NULL: none */
	struct server *last_server; /* tried last, for logs and redispatch */
	struct server *wanted; /* by use-server, for the first choice; NULL: none */
	struct session_wait *wait;
	struct session_header *header; /* NULL: no accept-proxy */
	uint64_t accepted_wall_us, accepted_ms;
	uint64_t step_ms; /* when queueing, connecting or closing began */
	uint64_t counted[RELAY_SIDES]; /* bytes already in the counters */
	struct endpoint client;
	int client_fd, server_fd;
	int32_t wait_ms, connect_ms; /* -1: not reached */
	uint16_t retries;
	uint8_t state, reason;
	uint8_t client_events; /* seen before relaying */
	uint8_t broken_side; /* while closing */
	uint8_t step; /* while inspecting, see inspect.c */
	bool is_redispatched : 1;
	bool is_turning_same : 1; /* the next choice is for last_server */
	bool is_logged_early : 1;
	bool is_proxy_expected : 1; /* a rule says that a PROXY header comes */
	bool is_woken_late : 1; /* the client's socket reports only as many bytes as are waited for */
};

/* session.c: the only place where the state changes; CHECKs the arrow. */
void session_enter(struct session *session, enum session_state state);
/* Ends it: logs, counts, gives both sockets back as told, frees after this pass. */
void session_close(struct session *session, enum close_reason reason, enum session_farewell client,
	enum session_farewell server);
/* Brings bytes relayed since the last time into the counters. */
void session_count_bytes(struct session *session);
void session_timer_set(struct session *session, uint64_t at_ms);
static inline uint64_t session_now_ms(const struct session *session)
{
	return loop_now_ms(session->table->loop);
}
const struct config_proxy *session_frontend_config(const struct session *session);

/* The client is known: counts the session and goes for a server. */
void session_begin(struct session *session);

/* handshake.c: reads the PROXY header, and nothing behind it. */
void session_handshake_begin(struct session *session);
void session_handshake_advance(struct session *session);
void session_handshake_timeout(struct session *session);
/* Gives what belongs to the session's header back. */
void session_handshake_release(struct session *session);
/* Who is at the other end of the client's socket: the client, or a proxy before it. */
const struct endpoint *session_peer(const struct session *session);
/* What the client connected to. */
void session_frontend_local(const struct session *session, struct endpoint *ret_endpoint);

/* session.c: the session is one of the backend's from now on. */
void session_backend_enter(struct session *session, struct backend *backend);

/* announce.c: the PROXY header for the server, at most SESSION_PREFIX_BYTES_MAX.
 * Returns its length; 0: the server wants none. */
enum { SESSION_PREFIX_BYTES_MAX = 1024 };
uint32_t session_announce(const struct session *session, uint8_t *storage);

/* choose.c */
void session_choose(struct session *session);
void session_queue_leave(struct session *session);
void session_queue_timeout(struct session *session);

/* connect.c */
void session_connect(struct session *session);
void session_connect_timeout(struct session *session);
void session_server_release(struct session *session);

/* relaying.c */
void session_relay_begin(struct session *session, unsigned server_events);
void session_relay_timeout(struct session *session);
/* The engine of a direction as the configuration names it; NULL or "auto": as it sees fit. */
const char *session_engine_for(const struct session *session, enum relay_side from);
/* Whether the packet engine may come to carry the session. */
bool session_may_be_wire(const struct session *session);
void session_on_window_scale(struct relay *relay, unsigned scale_max);
void session_on_half_closed(struct relay *relay, enum relay_side from);
void session_on_side_failed(struct relay *relay, enum relay_side side);
void session_on_relay_end(struct relay *relay, enum relay_outcome outcome, enum relay_side side);

/* closing.c: hands the last bytes over, then resets. */
void session_closing_begin(struct session *session, enum relay_side broken_side);
void session_closing_check(struct session *session);
/* Bytes that the peer of fd has not acknowledged yet. */
int session_unsent_bytes(int fd);
/* A TCP connection that was reset or given up. */
bool session_socket_is_dead(int fd);

/* session_log.c: the socket's own address. */
void session_socket_local(int fd, struct endpoint *ret_endpoint);
void session_log(const struct session *session, bool is_early);
