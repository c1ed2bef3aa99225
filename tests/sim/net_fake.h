/* A model of TCP between the proxy and its peers: buffers of limited size,
 * segments and acknowledgements that take time, half-closes, resets, and the
 * answers and edges that Linux gives for all of these.
 *
 * Content is not stored: every byte is a function of its stream and its place in
 * it, checked at the moment the proxy sends it. */
#pragma once

#include "loop/loop.h"
#include "sim.h"

enum {
	NET_CONNECTIONS_MAX = 512,
	NET_FD_BASE = 1000,
	NET_FDS_MAX = 512,
	NET_LISTENERS_MAX = 4,
	NET_SERVERS_MAX = 4,
	NET_SERVER_PORT = 9000, /* server N listens on this plus N */
};

enum net_role { NET_CLIENT, NET_SERVER };
enum net_state { NET_BACKLOG, NET_CONNECTING, NET_REFUSING, NET_OPEN, NET_DEAD, NET_GONE };
/* GONE: the proxy's end is closed; what it left is delivered by the kernel. */

/* One direction; written by one application, taken by the other. */
struct net_flow {
	uint64_t written, arrived, taken;
	bool is_fin_sent, is_fin_arrived, is_fin_taken;
};

enum peer_ending { PEER_FINISHES, PEER_WAITS, PEER_RESETS, PEER_CLOSES, PEER_KEEPS };

struct peer {
	uint64_t write_total; /* then the ending */
	uint64_t reply_after; /* writes nothing before so many bytes came */
	uint64_t reads_until; /* stops reading there for ever */
	uint64_t resets_at; /* sum of bytes written and read; SIM_NEVER: not */
	uint32_t read_chunk, write_chunk, gap_us;
	enum peer_ending ending;
	bool is_closed; /* both ways, by itself */
	bool has_reset; /* sent a reset */
	bool saw_eof, saw_reset;
};

struct net_connection {
	unsigned id;
	enum net_role role;
	enum net_state state;
	int fd; /* the proxy's; -1 before accept and after close */
	unsigned port; /* which listener or server */
	struct net_flow in, out; /* towards the proxy and from it */
	struct net_connection *pair; /* known from the first byte or end on */
	int error; /* pending, for SO_ERROR */
	uint32_t wake_bytes; /* SO_RCVLOWAT */
	uint64_t arrived_us; /* when the last byte came */
	bool was_open; /* established at some time */
	bool has_nospace; /* somebody waits for room to send */
	bool is_reset_sent, is_reset_arrived; /* the peer's */
	bool is_lingering_off; /* close will reset */
	bool was_aborted; /* the proxy's reset is under way to the peer */
	bool is_abort_arrived;
	uint64_t in_us, out_us, peer_us; /* when each next does something */
	uint64_t opened_us; /* when the proxy got the descriptor */
	uint64_t active_us; /* when the proxy last moved a byte or end on it */
	uint64_t reset_us; /* when the peer's reset arrived */
	struct peer peer;
};

struct net_totals {
	uint64_t accepted, accept_failures, faults, refused_pool, calls, events;
};
extern struct net_totals net_totals;
extern struct net_connection net_connections[NET_CONNECTIONS_MAX];
extern unsigned net_connections_count;
/* Faults are injected while this is on. */
extern bool net_has_faults;

/* Tells which descriptor the session joins with fd; -1: none yet. */
extern int (*net_pair_find)(int fd);

void net_start(void);
/* A client begins to connect; refused (false) when nobody listens. */
bool net_client_connect(unsigned listener);
unsigned net_listeners_count(void);
bool net_backlog_is_empty(void);
/* Everything that is due by now; then the time of the next. */
void net_run_due(void);
uint64_t net_next_us(void);
/* Early: one event of that or some connection although its time has not come. */
void net_jitter(int fd);
/* The peers stop as told by the parameters; what they left unread is then drained
 * when the sessions are over. */
void net_peers_stop(void);
void net_peers_drain(void);
/* Ready as loop_event bits, without interest. */
unsigned net_poll(int fd);
/* Same, and no side effect on whoever waits for room. */
unsigned net_poll_quietly(int fd);
/* NULL for a descriptor that is no connection. */
struct net_connection *net_connection_of(int fd);
/* Descriptors of the proxy that are open, the listening ones included. */
unsigned net_fds_open(void);
char net_content(const struct net_connection *source, uint64_t position);
