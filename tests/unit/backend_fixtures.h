/* Backends made of a few words, for the tests of src/backend. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"

enum { FIXTURE_SERVERS_MAX = 128 };

struct backend_fixture {
	struct config_proxy proxy;
	struct config_server servers[FIXTURE_SERVERS_MAX];
	char names[FIXTURE_SERVERS_MAX][8];
	struct backend *backend;
};

/* Servers s0, s1, … of weight 1; change the configuration, then open. */
static inline void backend_fixture_init(
	struct backend_fixture *fixture, enum config_balance balance, unsigned servers)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->proxy = (struct config_proxy){.name = "b", .balance = balance, .servers_count = servers};
	assert_in_range(servers, 0, FIXTURE_SERVERS_MAX);
	for (unsigned i = 0; i < servers; i++) {
		snprintf(fixture->names[i], sizeof(fixture->names[i]), "s%u", i);
		fixture->servers[i] = (struct config_server){.name = fixture->names[i], .weight = 1};
		fixture->servers[i].next = i + 1 < servers ? &fixture->servers[i + 1] : NULL;
	}
	fixture->proxy.servers = servers ? fixture->servers : NULL;
}

static inline void backend_fixture_open(struct backend_fixture *fixture)
{
	assert_int_equal(backend_create(&fixture->proxy, 2, &fixture->backend), 0);
}

static inline void backend_fixture_close(struct backend_fixture *fixture)
{
	backend_destroy(fixture->backend);
	fixture->backend = NULL;
}

static inline struct server *backend_fixture_server(const struct backend_fixture *fixture, unsigned index)
{
	assert_true(index < fixture->backend->servers_count);
	return &fixture->backend->servers[index];
}

/* What a configuration may say about the way to a server, by one name. */
struct backend_variant {
	const char *name;
	enum config_balance balance;
	enum config_hash_type hash_type;
	bool is_keyed;
};

static const struct backend_variant backend_variants[] = {
	{"roundrobin", CONFIG_BALANCE_ROUNDROBIN, CONFIG_HASH_MAP_BASED, false},
	{"static-rr", CONFIG_BALANCE_STATIC_RR, CONFIG_HASH_MAP_BASED, false},
	{"leastconn", CONFIG_BALANCE_LEASTCONN, CONFIG_HASH_MAP_BASED, false},
	{"first", CONFIG_BALANCE_FIRST, CONFIG_HASH_MAP_BASED, false},
	{"random", CONFIG_BALANCE_RANDOM, CONFIG_HASH_MAP_BASED, false},
	{"source map-based", CONFIG_BALANCE_SOURCE, CONFIG_HASH_MAP_BASED, true},
	{"source consistent", CONFIG_BALANCE_SOURCE, CONFIG_HASH_CONSISTENT, true},
	{"source maglev", CONFIG_BALANCE_SOURCE, CONFIG_HASH_MAGLEV, true},
	{"hash map-based", CONFIG_BALANCE_HASH, CONFIG_HASH_MAP_BASED, true},
	{"hash consistent", CONFIG_BALANCE_HASH, CONFIG_HASH_CONSISTENT, true},
	{"hash maglev", CONFIG_BALANCE_HASH, CONFIG_HASH_MAGLEV, true},
};
enum { BACKEND_VARIANTS = sizeof(backend_variants) / sizeof(backend_variants[0]) };

static inline void backend_fixture_init_variant(
	struct backend_fixture *fixture, const struct backend_variant *variant, unsigned servers)
{
	backend_fixture_init(fixture, variant->balance, servers);
	fixture->proxy.hash.type = variant->hash_type;
	fixture->proxy.hash.has_avalanche = variant->hash_type != CONFIG_HASH_MAP_BASED;
}

static inline struct endpoint client_v4(uint32_t number)
{
	struct endpoint client = {.family = AF_INET, .port = (uint16_t)number};
	const uint8_t ip[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	memcpy(client.ip, ip, sizeof(ip));
	return client;
}

/* The chosen server's index; -1: full; -2: none. */
static inline int backend_fixture_choose(
	const struct backend_fixture *fixture, const struct choose_request *request)
{
	static const struct choose_request plain;
	struct server *server = NULL;
	switch (backend_choose(fixture->backend, request ? request : &plain, &server)) {
	case CHOSEN:
		return (int)server->index;
	case CHOOSE_FULL:
		return -1;
	case CHOOSE_NONE:
		return -2;
	}
	return -3;
}
