/* 'resolvers' sections: who is asked for the addresses of servers, and how long answers hold. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config_types.h"

struct config_nameserver {
	struct config_nameserver *next;
	const char *name;
	struct address address;
};

struct config_resolvers {
	struct config_resolvers *next;
	const char *name;
	struct config_nameserver *nameservers; /* in the order they are asked */
	uint32_t hold_valid_ms, hold_obsolete_ms, hold_nx_ms, hold_other_ms, hold_refused_ms, hold_timeout_ms;
	uint32_t resolve_ms; /* until a name without a valid answer is asked for again */
	uint32_t retry_ms; /* until one question without an answer is repeated */
	unsigned tries; /* resolve_retries */
	unsigned payload_bytes; /* accepted_payload_size */
	struct config_place place;
};

/* init-addr: where a server's first address comes from, in the order they are tried. */
enum config_init_addr {
	CONFIG_INIT_ADDR_END,
	CONFIG_INIT_ADDR_LAST,
	CONFIG_INIT_ADDR_LIBC,
	CONFIG_INIT_ADDR_NONE,
	CONFIG_INIT_ADDR_IP,
};
enum { CONFIG_INIT_ADDRS_MAX = 4 };

/* How a server comes to its address when that is a name. */
struct config_naming {
	const char *resolvers_name; /* NULL: looked up once, at start */
	const struct config_resolvers *resolvers; /* resolved by validate */
	const char *host; /* the name that is asked for; NULL: the address is written out */
	bool is_ipv4_preferred;
	bool is_unresolved; /* init-addr none: it starts without an address */
	enum config_init_addr init_addrs[CONFIG_INIT_ADDRS_MAX + 1]; /* [0] END: last, libc */
	struct address init_address; /* of CONFIG_INIT_ADDR_IP */
};
