/* How checks, one after the other, make a server up or down: HAProxy's rise and fall.
 * Pure: no clock, no sockets. */
#pragma once

#include <stdbool.h>

/* value: 0 is down; below rise: down, on the way up; rise and more: up; rise + fall - 1:
 * up, and all recent checks were good. */
struct health {
	unsigned rise, fall; /* at least 1 */
	unsigned value;
};

/* Up, and the next failure takes it down. */
void health_init(struct health *health, unsigned rise, unsigned fall);
/* A check went well, or did not.  Returns whether the value changed. */
bool health_pass(struct health *health);
bool health_fail(struct health *health);
/* Forced, as by the operator. */
void health_set(struct health *health, bool is_up);
/* Two failures, at most, are left until it is down.  Only lowers. */
void health_weaken(struct health *health);

bool health_is_up(const struct health *health);
/* Neither fully up nor fully down. */
bool health_is_changing(const struct health *health);
/* How far it has come, as in "UP 2/3" and "DOWN 1/2". */
void health_progress(const struct health *health, unsigned *ret_done, unsigned *ret_of);
