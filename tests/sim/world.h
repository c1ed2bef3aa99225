/* The proxy under test: its configuration by hand, its workers, and the operator
 * who disturbs them. */
#pragma once

#include "backend/backend.h"
#include "net/acceptor.h"
#include "session/session.h"

enum { WORLD_WORKERS_MAX = 2, WORLD_SERVERS_MAX = 3 };

struct world_worker {
	struct loop *loop;
	struct session_table table;
	struct acceptor *acceptor;
};

struct world {
	struct config_global global;
	struct config_bind bind;
	struct config_proxy frontend_config, backend_config;
	struct config_server server_configs[WORLD_SERVERS_MAX];
	struct accept_limits limits;
	struct frontend *frontend;
	struct backend *backend;
	struct world_worker workers[WORLD_WORKERS_MAX];
	unsigned workers_count;
	unsigned kills, changes;
};
extern struct world world;

/* Builds everything from sim_params and starts accepting. */
void world_start(void);
/* Runs what the loops have to do now; false when all were idle. */
bool world_run(void);
/* The operator does something at random. */
void world_disturb(void);
/* The operator goes home: everything is enabled again. */
void world_settle(void);
void world_kill_all(void);
unsigned world_sessions(void);
uint64_t world_timer_us(void);
/* Stops accepting, and gives everything back, which CHECKs that nothing is left. */
void world_end(void);
/* The descriptor that is joined with fd in a session; -1: none. */
int world_pair_find(int fd);
