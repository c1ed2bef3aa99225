/* Sight and control from outside: runtime socket, metrics page.  Lives on the
 * control thread's loop. */
#pragma once

#include <stdio.h>

#include "base/status.h"
#include "worker/instance.h"

struct admin;

/* Opens the stats sockets and the metrics listener.  Mistakes are reported by log_event. */
int admin_create(struct instance *instance, struct admin **ret_admin) MUST_USE;
/* Adds duplicates of all listening sockets, the proxies' and these, to the set.  Returns 0 or -errno. */
int admin_sockets_offer(const struct admin *admin, struct socket_set *set) MUST_USE;
/* They have been sent to another process, which answers for the files of unix sockets now. */
void admin_sockets_given(struct admin *admin);
/* A client of the runtime socket at level admin that comes by another way, and the line it has
 * sent.  Takes fd over. */
void admin_client_serve(struct admin *admin, int fd, const char *line);
/* A soft stop has begun: what another process listens at, too, is left to it. */
void admin_leave(struct admin *admin);
/* Closes them and cuts their clients off; before instance_destroy().  NULL is allowed. */
void admin_destroy(struct admin *admin);

/* Writes docs/metrics.md from the tables of columns, process values and engine metrics. */
void admin_metrics_reference_print(FILE *out);
