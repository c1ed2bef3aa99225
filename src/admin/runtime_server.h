/* The runtime socket: listens at every `stats socket` and serves a bounded number
 * of clients at once; the others wait in the kernel's queue. */
#pragma once

#include "admin/admin_internal.h"

struct runtime_server;

/* Returns 0 or -errno after reporting which socket could not be opened and why. */
int runtime_server_create(struct admin *admin, struct runtime_server **ret_server) MUST_USE;
/* NULL is allowed. */
void runtime_server_destroy(struct runtime_server *server);
