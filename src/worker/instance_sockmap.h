/* The sockmap engine's part of an instance. */
#pragma once

#include <stdbool.h>

#include "worker/instance.h"

/* Whether the configuration lets any connection use it. */
bool instance_sockmap_is_wanted(const struct config *config);
/* Tries the kernel and makes each worker's table, if the configuration lets any connection use
 * it; why it cannot is reported and kept in instance->sockmap_refusal, and the instance does
 * without.  After the limits are known, and with the rights that the start has. */
void instance_sockmap_create(struct instance *instance);
/* NULL: there is none. */
struct sockmap_table *instance_sockmap_table(const struct instance *instance, unsigned worker);
/* When the workers are released. */
void instance_sockmap_destroy(struct instance *instance);
