/* Keys: bytes taken from a connection, and what number they make. */
#include "backend/hash_key.h"

#include "backend/hash_function.h"
#include "base/check.h"

enum { KEY_MAX = 16 };

struct key_bytes {
	uint8_t bytes[KEY_MAX];
	unsigned len; /* 0: the connection has no such key */
};

static void address_take(const struct endpoint *endpoint, struct key_bytes *ret_key)
{
	unsigned len = 0;
	if (endpoint && endpoint->family == AF_INET)
		len = 4;
	if (endpoint && endpoint->family == AF_INET6)
		len = 16;
	for (unsigned i = 0; i < len; i++)
		ret_key->bytes[i] = endpoint->ip[i];
	ret_key->len = len;
}

/* Numbers are eight bytes, the highest first, as HAProxy hashes them. */
static void port_take(const struct endpoint *endpoint, struct key_bytes *ret_key)
{
	if (!endpoint || (endpoint->family != AF_INET && endpoint->family != AF_INET6))
		return;
	ret_key->bytes[6] = (uint8_t)(endpoint->port >> 8);
	ret_key->bytes[7] = (uint8_t)endpoint->port;
	ret_key->len = 8;
}

static void src_take(const struct choose_request *request, struct key_bytes *ret_key)
{
	address_take(request->client, ret_key);
}

static void src_port_take(const struct choose_request *request, struct key_bytes *ret_key)
{
	port_take(request->client, ret_key);
}

static void dst_take(const struct choose_request *request, struct key_bytes *ret_key)
{
	address_take(request->local, ret_key);
}

static void dst_port_take(const struct choose_request *request, struct key_bytes *ret_key)
{
	port_take(request->local, ret_key);
}

static const struct key_row {
	enum config_hash_key key;
	void (*take)(const struct choose_request *request, struct key_bytes *ret_key);
} rows[] = {
	{CONFIG_HASH_SRC, src_take},
	{CONFIG_HASH_SRC_PORT, src_port_take},
	{CONFIG_HASH_DST, dst_take},
	{CONFIG_HASH_DST_PORT, dst_port_take},
};

static uint32_t hash_run(const struct config_hash *config, const struct choose_request *request)
{
	struct key_bytes key = {.len = 0};
	if (request->key)
		return hash_function_run(config->function, request->key, request->key_len);
	CHECK((size_t)config->key < ARRAY_LENGTH(rows) && rows[config->key].key == config->key);
	rows[config->key].take(request, &key);
	return key.len ? hash_function_run(config->function, key.bytes, key.len) : 0;
}

/* An address is the number itself; of a long one all words over each other. */
static uint32_t address_fold(const struct endpoint *client)
{
	struct key_bytes key = {.len = 0};
	uint32_t number = 0;
	address_take(client, &key);
	for (unsigned i = 0; i < key.len; i += 4)
		number ^= (uint32_t)key.bytes[i] << 24 | (uint32_t)key.bytes[i + 1] << 16 |
			(uint32_t)key.bytes[i + 2] << 8 | key.bytes[i + 3];
	return number;
}

uint32_t hash_key_number(const struct config_proxy *config, const struct choose_request *request)
{
	uint32_t number = config->balance == CONFIG_BALANCE_SOURCE ? address_fold(request->client)
								   : hash_run(&config->hash, request);
	return config->hash.has_avalanche ? hash_avalanche(number) : number;
}
