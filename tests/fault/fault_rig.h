/* A whole proxy in one thread, over real loopback sockets: frontend, backend with
 * one server that echoes, and clients that check what comes back. */
#pragma once

#include "backend/backend.h"
#include "net/acceptor.h"
#include "session/session.h"

enum { RIG_CLIENTS = 3 };

struct rig_client {
	int fd;
	unsigned written, read; /* bytes */
	bool is_done, is_broken;
};

struct rig_server {
	int listening_fd;
	int fds[16];
	unsigned fds_count;
};

struct rig {
	struct config_global global;
	struct config_bind bind;
	struct config_proxy frontend_config, backend_config;
	struct config_server server_config;
	struct accept_limits limits;
	struct loop *loop;
	struct frontend *frontend;
	struct backend *backend;
	struct session_table table;
	struct acceptor *acceptor;
	struct rig_server server;
	bool has_table;
};

/* Returns 0, or what refused; then nothing is left but the server. */
int rig_start(struct rig *rig) MUST_USE;
/* So many clients at once; returns how many got every byte back.  All have ended
 * within a bounded time, or the test fails. */
unsigned rig_clients_run(struct rig *rig, unsigned count);
/* Runs the loop until every session is over. */
void rig_settle(struct rig *rig);
/* Gives everything back. */
void rig_stop(struct rig *rig);
unsigned rig_fds_open(void);
