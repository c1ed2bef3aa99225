/* The last part of a soft stop that is bounded: what is left is ended little by little, so
 * that not all clients connect again at the same moment. */
#pragma once

#include "worker/instance.h"

struct spread;

/* Ends the sessions of all workers evenly from start_ms to end_ms of the control loop's clock, those
 * that are open longest first.  On the control thread.  Returns 0 or -ENOMEM. */
int spread_create(
	struct instance *instance, uint64_t start_ms, uint64_t end_ms, struct spread **ret_spread) MUST_USE;
/* When the workers' threads have ended, before instance_destroy().  NULL is allowed. */
void spread_destroy(struct spread *spread);
