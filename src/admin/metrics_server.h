/* The metrics listener: HTTP through libmicrohttpd, driven by the control loop. */
#pragma once

#include "admin/admin_internal.h"

struct metrics_server;

/* Returns 0 or -errno after reporting why it cannot listen. */
int metrics_server_create(struct admin *admin, struct metrics_server **ret_server) MUST_USE;
/* Cuts clients off.  NULL is allowed. */
void metrics_server_destroy(struct metrics_server *server);
