/* Networks, each with a value: the innermost that has an address, in O(log n). */
#pragma once

#include "base/address.h"
#include "base/arena.h"

struct address_set;

struct address_set *address_set_create(struct arena *arena);
/* "address", "address/prefix" or "address/netmask"; bits behind the prefix count for
 * nothing.  Of two equal networks the first stays.  Returns 0, or -EINVAL. */
int address_set_add(struct address_set *set, const char *text, const char *value) MUST_USE;
/* Once, after the last one was added and before the first is looked for. */
void address_set_finish(struct address_set *set);
/* The value, or NULL when the address is in none.  IPv4 in IPv6 counts as IPv4. */
const char *address_set_find(const struct address_set *set, const struct endpoint *endpoint);
