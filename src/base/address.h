/* Addresses as people write them and as the kernel wants them.
 *
 * `struct address` is a full socket address (112 bytes; for configuration and
 * calls), `struct endpoint` a compact one for objects that exist per connection. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t len;
};

struct endpoint {
	uint8_t family; /* AF_INET, AF_INET6, AF_UNIX or AF_UNSPEC */
	uint8_t is_local; /* unix: no address is kept */
	uint16_t port; /* host order */
	uint8_t ip[16]; /* network order; v4 in the first four */
};

enum {
	ADDRESS_TEXT_MAX = 128, /* every printed address with its port fits */
	ADDRESS_HOST_MAX = 256,
};

enum address_kind {
	ADDRESS_IP, /* host and ports: host may be a literal, a name, "*" or empty */
	ADDRESS_UNIX, /* a path */
	ADDRESS_ABSTRACT, /* abns@name, Linux abstract namespace */
	ADDRESS_FD, /* fd@N or fd@NAME, inherited */
};

/* What the text says, before any look-up.  IP: host without brackets; families
 * forced by ipv4@/ipv6@ in `family` (else AF_UNSPEC).  Ports: first..last, both 0
 * when absent; `is_port_relative` for "+N"/"-N" as servers may have (then
 * port_offset). */
struct address_spec {
	enum address_kind kind;
	int family;
	char host[ADDRESS_HOST_MAX]; /* or path, or abstract name */
	uint16_t port_first, port_last;
	bool has_port, is_port_relative;
	int port_offset;
	int fd; /* -1: by its name */
};

/* Parses one address (no commas) as HAProxy writes them: "1.2.3.4:80", ":80",
 * "*:80", "[::1]:80", "::1:80" (last colon parts the port), "host:80",
 * "ipv4@…", "ipv6@…", "unix@/path", "/path", "abns@name", "fd@3", "…:80-85".
 * Returns 0, or -EINVAL with *ret_reason set to a static sentence. */
int address_parse(const char *text, struct address_spec *ret_spec, const char **ret_reason) MUST_USE;

/* Fills *ret_address from a spec with the given port (ignored for unix).  Names
 * are looked up with getaddrinfo(3): blocks, so only at start-up.  An empty
 * host or "*" is the wildcard (v4 unless spec->family says v6).
 * Returns 0, -EINVAL, -ENAMETOOLONG or -ENOENT (no such name). */
int address_resolve(const struct address_spec *spec, uint16_t port, struct address *ret_address) MUST_USE;

/* "1.2.3.4:80", "[::1]:80", "/path", "abns@name".  Never more than ADDRESS_TEXT_MAX. */
void address_print(const struct address *address, char *ret_text, size_t size);
/* Host part only, no brackets, as logs want it ("unix" for local sockets); port by endpoint->port. */
void endpoint_print_host(const struct endpoint *endpoint, char *ret_text, size_t size);
/* "1.2.3.4:80", "[::1]:80" or "unix:1" as HAProxy prints. */
void endpoint_print(const struct endpoint *endpoint, char *ret_text, size_t size);

void endpoint_from_address(const struct address *address, struct endpoint *ret_endpoint);
void address_from_endpoint(const struct endpoint *endpoint, struct address *ret_address);
bool address_is_equal(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);
uint16_t address_port(const struct address *address); /* 0 for unix */
void address_set_port(struct address *address, uint16_t port);
