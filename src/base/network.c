/* Prefixes of addresses. */
#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { MAPPED_BITS = 96, TEXT_MAX = INET6_ADDRSTRLEN };

static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const uint8_t *ip)
{
	return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* Decimal without a sign or leading zeros, at most `max`; -1 otherwise. */
static int prefix_parse(const char *text, int max)
{
	int value = 0;
	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || value > max)
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value <= max ? value : -1;
}

static bool has_bits_behind(const struct network *network)
{
	unsigned last = network->family == AF_INET ? 32 : 128;
	for (unsigned bit = network->bits; bit < last; bit++) {
		if (network->ip[bit / 8] & 0x80 >> bit % 8)
			return true;
	}
	return false;
}

static const char *parse(const char *text, struct network *network)
{
	char host[TEXT_MAX];
	size_t len = strcspn(text, "/");
	if (len == 0 || len >= sizeof(host))
		return "it is no IP address";
	memcpy(host, text, len);
	host[len] = '\0';
	network->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(network->family, host, network->ip) != 1)
		return "it is no IP address";
	int bits_max = network->family == AF_INET ? 32 : 128;
	int bits = text[len] == '\0' ? bits_max : prefix_parse(text + len + 1, bits_max);
	if (bits < 0)
		return "what follows '/' is not the length of a prefix: 0 to 32 for IPv4, 0 to 128 for IPv6";
	network->bits = (uint8_t)bits;
	if (has_bits_behind(network))
		return "the address has bits behind the prefix: write the network's first address";
	return NULL;
}

int network_parse(const char *text, struct network *ret_network, const char **ret_reason)
{
	struct network network = {0};
	const char *reason = parse(text, &network);
	if (reason != NULL) {
		*ret_reason = reason;
		return -EINVAL;
	}
	if (network.family == AF_INET6 && network.bits >= MAPPED_BITS && is_mapped(network.ip)) {
		network.family = AF_INET;
		network.bits = (uint8_t)(network.bits - MAPPED_BITS);
		memmove(network.ip, network.ip + sizeof(mapped_prefix), 4);
		memset(network.ip + 4, 0, sizeof(network.ip) - 4);
	}
	*ret_network = network;
	return 0;
}

bool network_has(const struct network *network, const struct endpoint *endpoint)
{
	const uint8_t *ip = endpoint->ip;
	unsigned family = endpoint->family;
	if (family == AF_INET6 && is_mapped(ip)) {
		family = AF_INET;
		ip += sizeof(mapped_prefix);
	}
	if (family != network->family)
		return false;
	unsigned bytes = network->bits / 8, rest = network->bits % 8;
	if (memcmp(ip, network->ip, bytes) != 0)
		return false;
	return rest == 0 || (ip[bytes] ^ network->ip[bytes]) >> (8 - rest) == 0;
}
