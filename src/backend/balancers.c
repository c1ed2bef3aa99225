/* The list of balancing algorithms. */
#include "backend/balancer.h"

#include "backend/backend_internal.h"
#include "base/check.h"

const struct balancer balancers[] = {
	{CONFIG_BALANCE_ROUNDROBIN, "roundrobin", balance_round_robin, balance_round_robin_reset},
	{CONFIG_BALANCE_LEASTCONN, "leastconn", balance_least, NULL},
	{CONFIG_BALANCE_FIRST, "first", balance_first, NULL},
	{CONFIG_BALANCE_SOURCE, "source", balance_source, NULL},
	{CONFIG_BALANCE_RANDOM, "random", balance_random, NULL},
	{.name = NULL},
};

const struct balancer *balancer_find(enum config_balance kind)
{
	for (const struct balancer *row = balancers; row->name; row++)
		if (row->kind == kind)
			return row;
	CHECK(false);
}
