/* The list of balancing algorithms. */
#include "backend/balancer.h"

#include "backend/balance.h"
#include "base/check.h"

/* clang-format off */
const struct balancer balancers[] = {
	{CONFIG_BALANCE_ROUNDROBIN, "roundrobin", balance_round_robin_create, balance_round_robin_destroy,
		balance_round_robin_add, balance_round_robin_remove, balance_round_robin_update,
		balance_round_robin_pick, balance_round_robin_take, NULL, NULL, false},
	{CONFIG_BALANCE_STATIC_RR, "static-rr", balance_static_create, balance_static_destroy,
		NULL, NULL, NULL, NULL, NULL, balance_static_look_up, balance_static_on_members, false},
	{CONFIG_BALANCE_LEASTCONN, "leastconn", balance_least_create, balance_least_destroy,
		balance_least_add, balance_least_remove, balance_least_update,
		balance_least_pick, balance_least_take, NULL, NULL, false},
	{CONFIG_BALANCE_FIRST, "first", balance_first_create, balance_first_destroy,
		balance_first_add, balance_first_remove, NULL, balance_first_pick, NULL, NULL, NULL, false},
	{CONFIG_BALANCE_SOURCE, "source", balance_hash_create, balance_hash_destroy,
		NULL, NULL, NULL, NULL, NULL, balance_hash_look_up, balance_hash_on_members, true},
	{CONFIG_BALANCE_HASH, "hash", balance_hash_create, balance_hash_destroy,
		NULL, NULL, NULL, NULL, NULL, balance_hash_look_up, balance_hash_on_members, true},
	{CONFIG_BALANCE_RANDOM, "random", balance_random_create, balance_random_destroy,
		balance_random_add, balance_random_remove, balance_random_update,
		balance_random_pick, NULL, NULL, NULL, false},
	{.name = NULL},
};
/* clang-format on */

const struct balancer *balancer_find(enum config_balance kind)
{
	for (const struct balancer *row = balancers; row->name; row++)
		if (row->kind == kind)
			return row;
	CHECK(false);
}

bool balancer_is_static(const struct config_proxy *config)
{
	switch (config->balance) {
	case CONFIG_BALANCE_STATIC_RR:
		return true;
	case CONFIG_BALANCE_SOURCE:
	case CONFIG_BALANCE_HASH:
		return config->hash.type == CONFIG_HASH_MAP_BASED;
	case CONFIG_BALANCE_ROUNDROBIN:
	case CONFIG_BALANCE_LEASTCONN:
	case CONFIG_BALANCE_FIRST:
	case CONFIG_BALANCE_RANDOM:
		return false;
	}
	CHECK(false);
}
