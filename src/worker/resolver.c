/* Asking for names: c-ares on the control loop, and what an answer means for a server.
 * c-ares repeats questions, asks the next name server and changes to TCP by itself. */
#include "worker/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/check.h"
#include "base/log.h"

enum { SOCKETS_MAX = 64 }; /* of one section at a time; c-ares has two a name server */

struct resolver_socket {
	struct loop_watch watch;
	struct resolver *resolver;
};

struct resolver {
	struct resolver *next;
	struct loop *loop;
	const struct config_resolvers *config;
	struct resolver_name *names;
	ares_channel channel; /* NULL: not made, or being destroyed */
	struct loop_timer timer; /* c-ares's own */
	struct resolver_socket sockets[SOCKETS_MAX];
};

static const char *const status_texts[NAME_STATUSES] = {
	[NAME_UNASKED] = "unasked",
	[NAME_VALID] = "valid",
	[NAME_NX] = "nx",
	[NAME_REFUSED] = "refused",
	[NAME_TIMEOUT] = "timeout",
	[NAME_OTHER] = "other",
};

const char *name_status_text(enum name_status status)
{
	return status_texts[status];
}

struct resolver *resolver_next(const struct resolver *resolver)
{
	return resolver->next;
}

const struct config_resolvers *resolver_config(const struct resolver *resolver)
{
	return resolver->config;
}

const struct resolver_name *resolver_names(const struct resolver *resolver)
{
	return resolver->names;
}

/* --- c-ares on the loop --- */

static void timer_renew(struct resolver *resolver)
{
	struct timeval wait;
	if (resolver->channel == NULL || ares_timeout(resolver->channel, NULL, &wait) == NULL) {
		loop_timer_cancel(resolver->loop, &resolver->timer);
		return;
	}
	uint64_t wait_ms = (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
	loop_timer_set(resolver->loop, &resolver->timer, loop_now_ms(resolver->loop) + wait_ms);
}

static void on_timer(struct loop_timer *timer)
{
	struct resolver *resolver = container_of(timer, struct resolver, timer);
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_renew(resolver);
}

static void on_socket(struct loop_watch *watch, unsigned events)
{
	struct resolver *resolver = container_of(watch, struct resolver_socket, watch)->resolver;
	const unsigned to_read = LOOP_READABLE | LOOP_PEER_CLOSED | LOOP_FAILED;
	ares_socket_t fd = watch->fd;
	ares_process_fd(resolver->channel, events & to_read ? fd : ARES_SOCKET_BAD,
		events & LOOP_WRITABLE ? fd : ARES_SOCKET_BAD);
	timer_renew(resolver);
}

static struct resolver_socket *socket_find(struct resolver *resolver, int fd)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (resolver->sockets[i].watch.fd == fd)
			return &resolver->sockets[i];
	}
	return NULL;
}

/* What c-ares wants to know of a socket; nothing: it is about to close it.  A socket that
 * finds no place is never reported ready, and its question then times out. */
static void on_socket_state(void *context, ares_socket_t fd, int wants_read, int wants_write)
{
	struct resolver *resolver = context;
	struct resolver_socket *found = socket_find(resolver, fd);
	unsigned interest = (wants_read ? LOOP_READABLE : 0) | (wants_write ? LOOP_WRITABLE : 0);
	if (interest == 0) {
		if (found != NULL)
			loop_watch_remove(resolver->loop, &found->watch, false);
		return;
	}
	interest |= LOOP_LEVEL;
	int result = 0;
	if (found != NULL)
		result = loop_watch_change(resolver->loop, &found->watch, interest);
	else if ((found = socket_find(resolver, -1)) != NULL)
		result = loop_watch_add(resolver->loop, &found->watch, fd, interest, on_socket);
	if (result < 0 || found == NULL)
		log_event(LOG_LEVEL_WARNING, "resolvers %s: a socket cannot be watched: %s",
			resolver->config->name, strerror(found == NULL ? ENOSPC : -result));
}

/* --- what an answer means --- */

static bool node_has(const struct ares_addrinfo_node *node, const struct address *address)
{
	if (node->ai_family != address->any.sa_family)
		return false;
	if (node->ai_family == AF_INET) {
		struct sockaddr_in found;
		memcpy(&found, node->ai_addr, sizeof(found));
		return found.sin_addr.s_addr == address->v4.sin_addr.s_addr;
	}
	struct sockaddr_in6 found;
	memcpy(&found, node->ai_addr, sizeof(found));
	return memcmp(&found.sin6_addr, &address->v6.sin6_addr, sizeof(found.sin6_addr)) == 0;
}

static bool answer_has(const struct ares_addrinfo *answer, const struct address *address)
{
	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL; node = node->ai_next) {
		if (node_has(node, address))
			return true;
	}
	return false;
}

/* Two servers of a backend with one name take two of its addresses, if there are two. */
static bool is_used_elsewhere(const struct resolver_name *name, const struct ares_addrinfo_node *node)
{
	const struct backend *backend = name->server->backend;
	const char *host = name->server->config->naming.host;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *other = &backend->servers[i];
		const char *other_host = other->config->naming.host;
		struct address address;
		if (other == name->server || other_host == NULL || strcmp(other_host, host) != 0)
			continue;
		server_address(other, &address);
		if (!server_is_unresolved(other) && node_has(node, &address))
			return true;
	}
	return false;
}

static unsigned node_rank(const struct resolver_name *name, const struct ares_addrinfo_node *node)
{
	int preferred = name->server->config->naming.is_ipv4_preferred ? AF_INET : AF_INET6;
	return (node->ai_family == preferred ? 2 : 0) + (is_used_elsewhere(name, node) ? 0 : 1);
}

/* The best of the answer's addresses, the first among equals. */
static const struct ares_addrinfo_node *node_choose(
	const struct resolver_name *name, const struct ares_addrinfo *answer)
{
	const struct ares_addrinfo_node *best = NULL;
	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL; node = node->ai_next) {
		bool is_ip = (node->ai_family == AF_INET && node->ai_addrlen == sizeof(struct sockaddr_in)) ||
			(node->ai_family == AF_INET6 && node->ai_addrlen == sizeof(struct sockaddr_in6));
		if (is_ip && (best == NULL || node_rank(name, node) > node_rank(name, best)))
			best = node;
	}
	return best;
}

static void address_take(struct resolver_name *name, const struct ares_addrinfo_node *node)
{
	struct server *server = name->server;
	struct address address = {.len = node->ai_addrlen}, before;
	char now_text[ADDRESS_TEXT_MAX], before_text[ADDRESS_TEXT_MAX] = "none";
	server_address(server, &before);
	memcpy(&address.any, node->ai_addr, node->ai_addrlen);
	address_set_port(&address, address_port(&server->config->address));
	if (!server_is_unresolved(server))
		address_print(&before, before_text, sizeof(before_text));
	address_print(&address, now_text, sizeof(now_text));
	server_set_address(server, &address);
	name->changed++;
	log_event(LOG_LEVEL_NOTICE, "%s/%s changed its address from %s to %s by resolvers %s",
		server->backend->config->name, server->config->name, before_text, now_text,
		name->resolver->config->name);
}

static void answer_valid(struct resolver_name *name, const struct ares_addrinfo *answer)
{
	uint64_t now_ms = loop_now_ms(name->resolver->loop);
	bool has_address = !server_is_unresolved(name->server);
	struct address address;
	name->valid_ms = now_ms;
	server_address(name->server, &address);
	if (has_address && answer_has(answer, &address)) {
		name->seen_ms = now_ms;
		return;
	}
	if (has_address && now_ms - name->seen_ms < name->resolver->config->hold_obsolete_ms)
		return;
	const struct ares_addrinfo_node *node = node_choose(name, answer);
	if (node == NULL)
		return;
	name->seen_ms = now_ms;
	address_take(name, node);
}

static uint32_t hold_of(const struct config_resolvers *config, enum name_status status)
{
	switch (status) {
	case NAME_NX:
		return config->hold_nx_ms;
	case NAME_REFUSED:
		return config->hold_refused_ms;
	case NAME_TIMEOUT:
		return config->hold_timeout_ms;
	case NAME_OTHER:
		return config->hold_other_ms;
	case NAME_UNASKED:
	case NAME_VALID:
	case NAME_STATUSES:
		break;
	}
	CHECK(false);
	return 0;
}

static void answer_failed(struct resolver_name *name)
{
	struct server *server = name->server;
	uint64_t now_ms = loop_now_ms(name->resolver->loop);
	if (server_is_unresolved(server) ||
		now_ms - name->valid_ms < hold_of(name->resolver->config, name->status))
		return;
	server_set_address(server, NULL);
	log_event(LOG_LEVEL_WARNING, "%s/%s is in maintenance: resolvers %s have no address for '%s' (%s)",
		server->backend->config->name, server->config->name, name->resolver->config->name,
		server->config->naming.host, name_status_text(name->status));
}

static enum name_status status_of(int result, const struct ares_addrinfo *answer)
{
	switch (result) {
	case ARES_SUCCESS:
		return answer != NULL && answer->nodes != NULL ? NAME_VALID : NAME_NX;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		return NAME_NX;
	case ARES_EREFUSED:
		return NAME_REFUSED;
	case ARES_ETIMEOUT:
		return NAME_TIMEOUT;
	default:
		return NAME_OTHER;
	}
}

static void on_answer(void *context, int result, int timeouts, struct ares_addrinfo *answer)
{
	struct resolver_name *name = context;
	struct resolver *resolver = name->resolver;
	(void)timeouts;
	name->is_asking = false;
	if (result == ARES_EDESTRUCTION || result == ARES_ECANCELLED) {
		if (answer != NULL)
			ares_freeaddrinfo(answer);
		return;
	}
	name->status = status_of(result, answer);
	name->answers[name->status]++;
	if (name->status == NAME_VALID)
		answer_valid(name, answer);
	else
		answer_failed(name);
	if (answer != NULL)
		ares_freeaddrinfo(answer);
	const struct config_resolvers *config = resolver->config;
	uint32_t wait_ms = name->status == NAME_VALID ? config->hold_valid_ms : config->resolve_ms;
	loop_timer_set(resolver->loop, &name->timer, loop_now_ms(resolver->loop) + wait_ms);
}

static void name_ask(struct resolver_name *name)
{
	const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};
	CHECK(!name->is_asking);
	name->is_asking = true;
	name->asked++;
	ares_getaddrinfo(
		name->resolver->channel, name->server->config->naming.host, NULL, &hints, on_answer, name);
	timer_renew(name->resolver);
}

static void on_name_due(struct loop_timer *timer)
{
	name_ask(container_of(timer, struct resolver_name, timer));
}

/* --- life --- */

static int nameservers_set(struct resolver *resolver)
{
	struct ares_addr_port_node *nodes = NULL, *node = NULL;
	unsigned count = 0, at = 0;
	for (const struct config_nameserver *config = resolver->config->nameservers; config != NULL;
		config = config->next)
		count++;
	CHECK(count > 0);
	nodes = calloc(count, sizeof(*nodes));
	if (nodes == NULL)
		return ARES_ENOMEM;
	for (const struct config_nameserver *config = resolver->config->nameservers; config != NULL;
		config = config->next) {
		node = &nodes[at++];
		node->next = at < count ? &nodes[at] : NULL;
		node->family = config->address.any.sa_family;
		node->udp_port = node->tcp_port = address_port(&config->address);
		if (node->family == AF_INET)
			memcpy(&node->addr.addr4, &config->address.v4.sin_addr, sizeof(node->addr.addr4));
		else
			memcpy(&node->addr.addr6, &config->address.v6.sin6_addr, sizeof(node->addr.addr6));
	}
	int result = ares_set_servers_ports(resolver->channel, nodes);
	free(nodes);
	return result;
}

static int channel_make(struct resolver *resolver)
{
	const struct config_resolvers *config = resolver->config;
	char lookups[] = "b"; /* name servers only, no hosts file */
	struct ares_options options = {.flags = ARES_FLAG_NOSEARCH,
		.timeout = (int)config->retry_ms,
		.tries = (int)config->tries,
		.ednspsz = (int)config->payload_bytes,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = resolver};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ;
	if (config->payload_bytes > 512)
		options.flags |= ARES_FLAG_EDNS;
	/* A failure is then an answer; else the next name server is asked, and of what all
	 * say only that they failed is known. */
	if (config->nameservers->next == NULL)
		options.flags |= ARES_FLAG_NOCHECKRESP;
	int result = ares_init_options(&resolver->channel, &options, mask);
	if (result == ARES_SUCCESS)
		result = nameservers_set(resolver);
	if (result == ARES_SUCCESS)
		return 0;
	log_event(LOG_LEVEL_ALERT, "resolvers %s cannot be made: %s", config->name, ares_strerror(result));
	return result == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static int name_add(struct resolver *resolver, struct server *server)
{
	struct resolver_name **end = &resolver->names;
	struct resolver_name *name = calloc(1, sizeof(*name));
	if (name == NULL)
		return -ENOMEM;
	while (*end != NULL)
		end = &(*end)->next;
	*end = name;
	name->resolver = resolver;
	name->server = server;
	loop_timer_init(&name->timer, on_name_due);
	return 0;
}

static int names_add(struct resolver *resolver, struct backend *backends)
{
	for (struct backend *backend = backends; backend != NULL; backend = backend->next) {
		for (unsigned i = 0; i < backend->servers_count; i++) {
			struct server *server = &backend->servers[i];
			const struct config_naming *naming = &server->config->naming;
			if (naming->resolvers != resolver->config || naming->host == NULL)
				continue;
			int result = name_add(resolver, server);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static int resolver_create(struct loop *loop, const struct config_resolvers *config, struct backend *backends,
	struct resolver **ret_resolver)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	if (resolver == NULL)
		return -ENOMEM;
	*ret_resolver = resolver;
	resolver->loop = loop;
	resolver->config = config;
	loop_timer_init(&resolver->timer, on_timer);
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		resolver->sockets[i].resolver = resolver;
		resolver->sockets[i].watch.fd = -1;
	}
	int result = names_add(resolver, backends);
	return result < 0 ? result : channel_make(resolver);
}

int resolvers_create(
	struct loop *loop, const struct config *config, struct backend *backends, struct resolver **ret_first)
{
	struct resolver *first = NULL, **end = &first;
	int result = 0;
	if (config->resolvers != NULL && ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	for (const struct config_resolvers *at = config->resolvers; at != NULL && result == 0;
		at = at->next) {
		result = resolver_create(loop, at, backends, end);
		if (*end != NULL)
			end = &(*end)->next;
	}
	if (result < 0) {
		resolvers_destroy(first);
		return result;
	}
	*ret_first = first;
	return 0;
}

void resolvers_start(struct resolver *first)
{
	for (struct resolver *resolver = first; resolver != NULL; resolver = resolver->next) {
		for (struct resolver_name *name = resolver->names; name != NULL; name = name->next) {
			name->valid_ms = name->seen_ms = loop_now_ms(resolver->loop);
			name_ask(name);
		}
	}
}

static void resolver_destroy(struct resolver *resolver)
{
	ares_channel channel = resolver->channel;
	resolver->channel = NULL;
	/* Answers every question that is open, and gives its sockets back, before it returns. */
	if (channel != NULL)
		ares_destroy(channel);
	loop_timer_cancel(resolver->loop, &resolver->timer);
	for (struct resolver_name *name = resolver->names, *next = NULL; name != NULL; name = next) {
		next = name->next;
		loop_timer_cancel(resolver->loop, &name->timer);
		free(name);
	}
	free(resolver);
}

void resolvers_destroy(struct resolver *first)
{
	while (first != NULL) {
		struct resolver *next = first->next;
		resolver_destroy(first);
		first = next;
	}
}
