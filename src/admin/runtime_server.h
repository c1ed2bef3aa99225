/* The runtime socket: listens at every `stats socket` and serves a bounded number
 * of clients at once; the others wait in the kernel's queue. */
#pragma once

#include "admin/admin_internal.h"

struct runtime_server;

/* Returns 0 or -errno after reporting which socket could not be opened and why. */
int runtime_server_create(struct admin *admin, struct runtime_server **ret_server) MUST_USE;
/* What of it has no path is added to the set.  Returns 0 or -errno.  NULL is allowed. */
int runtime_server_offer(const struct runtime_server *server, struct socket_set *set) MUST_USE;
/* Serves a connection that has not come by a listening socket, at level admin, beginning with
 * a line it has sent.  Takes fd over; there is a limit for these, too. */
void runtime_server_adopt(struct runtime_server *server, int fd, const char *line);
/* Closes what was offered; clients stay.  NULL is allowed. */
void runtime_server_leave(struct runtime_server *server);
/* NULL is allowed. */
void runtime_server_destroy(struct runtime_server *server);
