/* The metrics listener: HTTP through libmicrohttpd, driven by the control loop. */
#pragma once

#include "admin/admin_internal.h"

struct metrics_server;

/* Returns 0 or -errno after reporting why it cannot listen. */
int metrics_server_create(struct admin *admin, struct metrics_server **ret_server) MUST_USE;
/* Adds the listening socket to the set.  Returns 0 or -errno.  NULL is allowed. */
int metrics_server_offer(const struct metrics_server *server, struct socket_set *set) MUST_USE;
/* Closes the listening socket; answers under way are finished.  NULL is allowed. */
void metrics_server_leave(struct metrics_server *server);
/* Cuts clients off.  NULL is allowed. */
void metrics_server_destroy(struct metrics_server *server);
