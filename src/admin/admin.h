/* Sight and control from outside: runtime socket, metrics page.  Lives on the
 * control thread's loop. */
#pragma once

#include <stdio.h>

#include "base/status.h"
#include "worker/instance.h"

struct admin;

/* Opens the stats sockets and the metrics listener.  Mistakes are reported by log_event. */
int admin_create(struct instance *instance, struct admin **ret_admin) MUST_USE;
/* Closes them and cuts their clients off; before instance_destroy().  NULL is allowed. */
void admin_destroy(struct admin *admin);

/* Writes docs/metrics.md from the tables of columns, process values and engine metrics. */
void admin_metrics_reference_print(FILE *out);
