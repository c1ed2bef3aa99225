/* By the client's address: as long as the usable servers and their weights stay,
 * a client always meets the same server, in every worker, process and machine.
 * When that server is full or to be avoided, the next one in order serves. */
#include "backend/backend_internal.h"
#include "base/check.h"
#include "base/hash.h"

/* The bytes of the address count, not how this machine stores numbers.  Clients
 * without an address (unix sockets) are all one client. */
static uint64_t client_hash(const struct endpoint *client)
{
	unsigned bytes = 0;
	uint64_t hash = 0;
	if (client && client->family == AF_INET)
		bytes = 4;
	if (client && client->family == AF_INET6)
		bytes = 16;
	for (unsigned i = 0; i < bytes; i += 4) {
		uint32_t word = (uint32_t)client->ip[i] << 24 | (uint32_t)client->ip[i + 1] << 16 |
			(uint32_t)client->ip[i + 2] << 8 | client->ip[i + 3];
		hash = hash_mix(hash ^ word);
	}
	return hash;
}

/* The member whose share of all weights the hash falls into. */
static unsigned member_at(struct backend *backend, uint64_t hash)
{
	const bool *is_member = backend_private(backend)->is_member;
	uint64_t total = 0;
	for (unsigned i = 0; i < backend->servers_count; i++)
		total += is_member[i] ? backend->servers[i].weight : 0;
	CHECK(total > 0);
	uint64_t left = hash % total;
	unsigned index = 0;
	while (!is_member[index] || left >= backend->servers[index].weight) {
		left -= is_member[index] ? backend->servers[index].weight : 0;
		index++;
	}
	return index;
}

struct server *balance_source(
	struct backend *backend, const struct choose_request *request, const bool *is_candidate)
{
	unsigned index = member_at(backend, client_hash(request->client));
	while (!is_candidate[index])
		index = (index + 1) % backend->servers_count;
	return &backend->servers[index];
}
