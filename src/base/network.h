/* Networks as people write them, "10.0.0.0/8", and whether an address is in one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

struct network {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t bits; /* of the prefix */
	uint8_t ip[16]; /* network order; v4 in the first four; zeros behind the prefix */
};

/* "address/prefix", or an address alone for that one; no names.  An IPv6 prefix inside
 * ::ffff:0:0/96 means the IPv4 network in it.  Bits behind the prefix are a mistake.
 * Returns 0, or -EINVAL with *ret_reason set to a static sentence. */
int network_parse(const char *text, struct network *ret_network, const char **ret_reason) MUST_USE;

/* IPv4 in IPv6 (::ffff:1.2.3.4, as dual-stack sockets have it) counts as IPv4.  An
 * endpoint without an IP address is in no network. */
bool network_has(const struct network *network, const struct endpoint *endpoint);
