/* The packet splicing engine's part of an instance. */
#pragma once

#include <stdbool.h>

#include "worker/instance.h"

/* Whether the configuration lets any connection use it. */
bool instance_wire_is_wanted(const struct config *config);
/* Loads and attaches the programs, if they are wanted; why it cannot is reported and kept in
 * instance->wire_refusal, and the instance does without.  After the limits are known. */
void instance_wire_create(struct instance *instance);
/* Before the workers start.  Returns 0 or -errno. */
int instance_wire_start(struct instance *instance) MUST_USE;
/* When the workers' threads have ended. */
void instance_wire_stop(struct instance *instance);
/* When the workers are released. */
void instance_wire_destroy(struct instance *instance);
