/* What an address text says, and the socket address it stands for. */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { PORT_MAX = 65535, DIGITS_MAX = 9 };

struct address_prefix {
	const char *word;
	enum address_kind kind;
	int family;
	const char *refusal; /* known but not ours */
};

#define DATAGRAM_REFUSAL "datagram and QUIC addresses are not supported, only TCP and unix stream sockets"

static const struct address_prefix address_prefixes[] = {
	{"ip@", ADDRESS_IP, AF_UNSPEC, NULL},
	{"ipv4@", ADDRESS_IP, AF_INET, NULL},
	{"ipv6@", ADDRESS_IP, AF_INET6, NULL},
	{"tcp@", ADDRESS_IP, AF_UNSPEC, NULL},
	{"tcp4@", ADDRESS_IP, AF_INET, NULL},
	{"tcp6@", ADDRESS_IP, AF_INET6, NULL},
	{"unix@", ADDRESS_UNIX, AF_UNIX, NULL},
	{"uxst@", ADDRESS_UNIX, AF_UNIX, NULL},
	{"abns@", ADDRESS_ABSTRACT, AF_UNIX, NULL},
	{"fd@", ADDRESS_FD, AF_UNSPEC, NULL},
	{"/", ADDRESS_UNIX, AF_UNIX, NULL}, /* part of the path */
	{"udp@", ADDRESS_IP, AF_UNSPEC, DATAGRAM_REFUSAL},
	{"udp4@", ADDRESS_IP, AF_INET, DATAGRAM_REFUSAL},
	{"udp6@", ADDRESS_IP, AF_INET6, DATAGRAM_REFUSAL},
	{"quic4@", ADDRESS_IP, AF_INET, DATAGRAM_REFUSAL},
	{"quic6@", ADDRESS_IP, AF_INET6, DATAGRAM_REFUSAL},
	{"uxdg@", ADDRESS_UNIX, AF_UNIX, DATAGRAM_REFUSAL},
	{"dgram+", ADDRESS_IP, AF_UNSPEC, DATAGRAM_REFUSAL},
	{"sockpair@", ADDRESS_FD, AF_UNIX, "sockpair@ addresses are not supported"},
};

static const struct address_prefix *prefix_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_LENGTH(address_prefixes); i++) {
		const struct address_prefix *prefix = &address_prefixes[i];

		if (strncmp(text, prefix->word, strlen(prefix->word)) == 0)
			return prefix;
	}
	return NULL;
}

/* Decimal digits and nothing else.  Returns -1 otherwise or when longer than
 * DIGITS_MAX, which no port and no descriptor is. */
static int digits_parse(const char *text, size_t len)
{
	int value = 0;

	if (len == 0 || len > DIGITS_MAX)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* "…80", "…80-85", "+100", "-100"; what stands after the colon. */
static const char *ports_parse(const char *text, struct address_spec *spec)
{
	size_t first_len = strcspn(text, "-");
	int first, last;

	if (text[0] == '+' || text[0] == '-') {
		int offset = digits_parse(text + 1, strlen(text + 1));

		if (offset < 0)
			return "the port offset after '+' or '-' is not a number";
		if (offset > PORT_MAX)
			return "the port offset is larger than 65535";
		spec->is_port_relative = true;
		spec->port_offset = text[0] == '-' ? -offset : offset;
		return NULL;
	}
	first = digits_parse(text, first_len);
	last = text[first_len] == '-' ? digits_parse(text + first_len + 1, strlen(text + first_len + 1))
				      : first;
	if (first < 0 || last < 0)
		return "the port is not a number";
	if (first == 0 || last == 0)
		return "port 0 is not a port one can connect to or listen on";
	if (first > PORT_MAX || last > PORT_MAX)
		return "the port is larger than 65535";
	if (first > last)
		return "the port range ends before it begins";
	spec->port_first = (uint16_t)first;
	spec->port_last = (uint16_t)last;
	return NULL;
}

static bool is_ipv6_literal(const char *host)
{
	char literal[INET6_ADDRSTRLEN];
	struct in6_addr ip;
	size_t len = strcspn(host, "%");

	if (len >= sizeof(literal) || (host[len] == '%' && host[len + 1] == '\0'))
		return false;
	memcpy(literal, host, len);
	literal[len] = '\0';
	return inet_pton(AF_INET6, literal, &ip) == 1;
}

/* Names, IPv4 literals and "*"; nothing that only a broken line would have. */
static bool is_name(const char *host)
{
	if (strcmp(host, "*") == 0)
		return true;
	for (; *host; host++) {
		bool is_alnum = (*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') ||
			(*host >= '0' && *host <= '9');

		if (!is_alnum && !strchr(".-_", *host) && (unsigned char)*host < 0x80)
			return false;
	}
	return true;
}

static const char *host_check(const struct address_spec *spec, bool is_bracketed)
{
	if (is_bracketed || strchr(spec->host, ':')) {
		if (spec->family == AF_INET)
			return "an IPv6 address where IPv4 is asked for";
		if (!is_ipv6_literal(spec->host))
			return is_bracketed ? "no IPv6 address between the brackets"
					    : "not an IPv6 address with a port (write [address]:port)";
		return NULL;
	}
	if (!is_name(spec->host))
		return "a character that neither an address nor a host name can have";
	return NULL;
}

static const char *ip_parse(const char *text, struct address_spec *spec)
{
	bool is_bracketed = text[0] == '[';
	const char *end = is_bracketed ? strchr(text, ']') : strrchr(text, ':');
	const char *host = text, *ports = NULL, *reason;
	size_t host_len = strlen(text);

	if (is_bracketed) {
		if (!end)
			return "the bracket '[' is not closed";
		if (end[1] != '\0' && end[1] != ':')
			return "only ':' and a port may follow the bracket ']'";
		host = text + 1;
		host_len = (size_t)(end - host);
		ports = end[1] == ':' ? end + 2 : NULL;
	} else if (end) {
		host_len = (size_t)(end - text);
		ports = end + 1;
	}
	memcpy(spec->host, host, host_len);
	spec->host[host_len] = '\0';

	reason = host_check(spec, is_bracketed);
	/* A colon without anything after it says as much as none. */
	if (reason || !ports || ports[0] == '\0')
		return reason;
	spec->has_port = true;
	return ports_parse(ports, spec);
}

static const char *local_parse(const char *text, struct address_spec *spec)
{
	if (text[0] == '\0')
		return spec->kind == ADDRESS_UNIX ? "the path after '@' is missing"
						  : "the name after '@' is missing";
	if (strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "the path or name is longer than a unix address can be (107 bytes)";
	memcpy(spec->host, text, strlen(text) + 1);
	return NULL;
}

/* FileDescriptorName= of a socket unit.  One of digits alone would be a number, though a wrong one. */
static bool is_descriptor_name(const char *text)
{
	bool has_letter = false;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at <= ' ' || *at == ':' || *at == 0x7f)
			return false;
		has_letter = has_letter || *at < '0' || *at > '9';
	}
	return has_letter && text[0] != '-' && text[0] != '+';
}

static const char *spec_parse(const char *text, struct address_spec *spec)
{
	const struct address_prefix *prefix;

	if (text[0] == '\0')
		return "the address is empty";
	if (strlen(text) >= ADDRESS_HOST_MAX)
		return "the address is too long";
	prefix = prefix_find(text);
	if (!prefix && strchr(text, '@'))
		return "unknown prefix before '@' (known: ipv4, ipv6, unix, abns, fd)";
	if (!prefix)
		return ip_parse(text, spec);
	if (prefix->refusal)
		return prefix->refusal;

	spec->kind = prefix->kind;
	spec->family = prefix->family;
	if (text[0] != '/')
		text += strlen(prefix->word);
	switch (prefix->kind) {
	case ADDRESS_IP:
		return ip_parse(text, spec);
	case ADDRESS_UNIX:
	case ADDRESS_ABSTRACT:
		return local_parse(text, spec);
	case ADDRESS_FD:
		spec->fd = digits_parse(text, strlen(text));
		return spec->fd >= 0 || is_descriptor_name(text)
			? NULL
			: "after 'fd@' a number, or the name of a socket that systemd passes, is expected";
	}
	return "unknown kind of address";
}

int address_parse(const char *text, struct address_spec *ret_spec, const char **ret_reason)
{
	struct address_spec spec = {.kind = ADDRESS_IP, .family = AF_UNSPEC, .fd = -1};
	const char *reason = spec_parse(text, &spec);

	if (reason) {
		*ret_reason = reason;
		return -EINVAL;
	}
	*ret_spec = spec;
	return 0;
}

static int local_resolve(const struct address_spec *spec, struct address *ret_address)
{
	bool is_abstract = spec->kind == ADDRESS_ABSTRACT;
	size_t len = strlen(spec->host);

	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(ret_address->local.sun_path))
		return -ENAMETOOLONG;
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->local.sun_family = AF_UNIX;
	memcpy(ret_address->local.sun_path + is_abstract, spec->host, len);
	/* HAProxy's abstract names are as long as the field, zeros to its end. */
	ret_address->len = is_abstract ? sizeof(ret_address->local)
				       : (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

static void wildcard_resolve(int family, struct address *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (family == AF_INET6) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->len = sizeof(ret_address->v6);
	} else {
		ret_address->v4.sin_family = AF_INET;
		ret_address->len = sizeof(ret_address->v4);
	}
}

static int name_resolve(const struct address_spec *spec, struct address *ret_address)
{
	struct addrinfo hints = {.ai_family = spec->family, .ai_socktype = SOCK_STREAM}, *found = NULL;

	if (getaddrinfo(spec->host, NULL, &hints, &found) != 0 || !found)
		return -ENOENT;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(&ret_address->any, found->ai_addr, found->ai_addrlen);
	ret_address->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int address_resolve(const struct address_spec *spec, uint16_t port, struct address *ret_address)
{
	struct address address = {.len = 0};
	int rc = 0;

	switch (spec->kind) {
	case ADDRESS_UNIX:
	case ADDRESS_ABSTRACT:
		return local_resolve(spec, ret_address);
	case ADDRESS_FD:
		return -EINVAL;
	case ADDRESS_IP:
		if (spec->host[0] == '\0' || strcmp(spec->host, "*") == 0)
			wildcard_resolve(spec->family, &address);
		else
			rc = name_resolve(spec, &address);
		break;
	}
	if (rc < 0)
		return rc;
	address_set_port(&address, port);
	*ret_address = address;
	return 0;
}

/* The path or abstract name without its zeros; *ret_is_abstract tells which. */
static size_t local_name(const struct address *address, const char **ret_name, bool *ret_is_abstract)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t room = address->len > offset ? address->len - offset : 0;
	const char *name = address->local.sun_path;
	bool is_abstract = room > 0 && name[0] == '\0';

	*ret_is_abstract = is_abstract;
	*ret_name = name + is_abstract;
	return strnlen(*ret_name, room - is_abstract);
}

static void local_print(const struct address *address, struct text *text)
{
	const char *name;
	bool is_abstract;
	size_t len = local_name(address, &name, &is_abstract);

	if (len == 0)
		text_add(text, "unix");
	else
		text_printf(text, "%s%.*s", is_abstract ? "abns@" : "", (int)len, name);
}

void address_print(const struct address *address, char *ret_text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE] = "";
	uint32_t scope_id;
	struct text text;

	text_init(&text, ret_text, size);
	if (address->len == 0) {
		text_add(&text, "-");
	} else if (address->any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		text_printf(&text, "%s:%u", host, address_port(address));
	} else if (address->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		scope_id = address->v6.sin6_scope_id;
		if (scope_id && !if_indextoname(scope_id, scope))
			(void)snprintf(scope, sizeof(scope), "%u", scope_id);
		text_printf(&text, "[%s%s%s]:%u", host, scope_id ? "%" : "", scope, address_port(address));
	} else if (address->any.sa_family == AF_UNIX) {
		local_print(address, &text);
	} else {
		text_add(&text, "-");
	}
}

void endpoint_print_host(const struct endpoint *endpoint, char *ret_text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "-";
	struct text text;

	if (endpoint->family == AF_INET || endpoint->family == AF_INET6)
		(void)inet_ntop(endpoint->family, endpoint->ip, host, sizeof(host));
	text_init(&text, ret_text, size);
	text_add(&text, endpoint->family == AF_UNIX ? "unix" : host);
}

void endpoint_print(const struct endpoint *endpoint, char *ret_text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	struct text text;

	endpoint_print_host(endpoint, host, sizeof(host));
	text_init(&text, ret_text, size);
	if (endpoint->family == AF_UNIX)
		text_add(&text, "unix:1");
	else if (endpoint->family == AF_INET6)
		text_printf(&text, "[%s]:%u", host, endpoint->port);
	else if (endpoint->family == AF_INET)
		text_printf(&text, "%s:%u", host, endpoint->port);
	else
		text_add(&text, host);
}

void endpoint_from_address(const struct address *address, struct endpoint *ret_endpoint)
{
	struct endpoint endpoint = {.family = AF_UNSPEC};

	if (address->len > 0)
		endpoint.family = (uint8_t)address->any.sa_family;
	endpoint.port = address_port(address);
	if (endpoint.family == AF_INET)
		memcpy(endpoint.ip, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
	else if (endpoint.family == AF_INET6)
		memcpy(endpoint.ip, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
	else
		endpoint.is_local = endpoint.family == AF_UNIX;
	*ret_endpoint = endpoint;
}

void address_from_endpoint(const struct endpoint *endpoint, struct address *ret_address)
{
	struct address address;

	memset(&address, 0, sizeof(address));
	if (endpoint->family == AF_INET || endpoint->family == AF_INET6) {
		wildcard_resolve(endpoint->family, &address);
		address_set_port(&address, endpoint->port);
	}
	if (endpoint->family == AF_INET)
		memcpy(&address.v4.sin_addr, endpoint->ip, sizeof(address.v4.sin_addr));
	else if (endpoint->family == AF_INET6)
		memcpy(&address.v6.sin6_addr, endpoint->ip, sizeof(address.v6.sin6_addr));
	else if (endpoint->family == AF_UNIX) {
		address.local.sun_family = AF_UNIX;
		address.len = offsetof(struct sockaddr_un, sun_path);
	}
	*ret_address = address;
}

static bool local_is_equal(const struct address *a, const struct address *b)
{
	bool a_is_abstract, b_is_abstract;
	const char *a_name, *b_name;
	size_t a_len = local_name(a, &a_name, &a_is_abstract);
	size_t b_len = local_name(b, &b_name, &b_is_abstract);

	return a_is_abstract == b_is_abstract && a_len == b_len && memcmp(a_name, b_name, a_len) == 0;
}

bool address_is_equal(const struct address *a, const struct address *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_UNIX)
		return local_is_equal(a, b);
	if (address_port(a) != address_port(b))
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
		a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

uint16_t address_port(const struct address *address)
{
	if (address->len == 0)
		return 0;
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	if (address->any.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return 0;
}

void address_set_port(struct address *address, uint16_t port)
{
	if (address->len == 0)
		return;
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
}

bool address_is_loopback(const struct address *address)
{
	if (address->len == 0)
		return false;
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}
