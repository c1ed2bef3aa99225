/* The functions of the algorithms, for their rows in balancers.c.  Private to the
 * folder; balancer.h has the contracts. */
#pragma once

#include "backend/balancer.h"

#define BALANCE_LIFE(name)                                             \
	int balance_##name##_create(struct backend *backend) MUST_USE; \
	void balance_##name##_destroy(struct backend *backend)
#define BALANCE_PICK(name)                                                            \
	BALANCE_LIFE(name);                                                           \
	void balance_##name##_add(struct backend *backend, struct server *server);    \
	void balance_##name##_remove(struct backend *backend, struct server *server); \
	struct server *balance_##name##_pick(struct backend *backend)
#define BALANCE_LOOK_UP(name)                                                                      \
	BALANCE_LIFE(name);                                                                        \
	struct server *balance_##name##_look_up(                                                   \
		struct backend *backend, const struct choice *choice, struct server **ret_wanted); \
	void balance_##name##_on_members(struct backend *backend)

BALANCE_PICK(round_robin);
void balance_round_robin_update(struct backend *backend, struct server *server);
void balance_round_robin_take(struct backend *backend, struct server *server);
BALANCE_PICK(least);
void balance_least_update(struct backend *backend, struct server *server);
void balance_least_take(struct backend *backend, struct server *server);
BALANCE_PICK(first);
BALANCE_PICK(random);
void balance_random_update(struct backend *backend, struct server *server);
BALANCE_LOOK_UP(static);
BALANCE_LOOK_UP(hash);
