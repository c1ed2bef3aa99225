/* How servers come to their first address, and to the 'resolvers' that find the next ones. */
#include "config/naming.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "config/argument.h"

enum { HOLD_MS = 30 * 1000, HOLD_VALID_MS = 10 * 1000, RESOLVE_MS = 1000, TRIES = 3, PAYLOAD_BYTES = 512 };

bool address_is_written_out(const struct address_spec *spec)
{
	struct in6_addr bytes;

	return spec->kind != ADDRESS_IP || spec->host[0] == '\0' || strcmp(spec->host, "*") == 0 ||
		inet_pton(AF_INET, spec->host, &bytes) == 1 || strchr(spec->host, ':') != NULL;
}

static void start_unresolved(struct config_server *server, uint16_t port)
{
	server->naming.is_unresolved = true;
	memset(&server->address, 0, sizeof(server->address));
	server->address.v4.sin_family = AF_INET;
	server->address.len = sizeof(server->address.v4);
	address_set_port(&server->address, port);
}

/* Whether libc's failure is the end, and not one way of several. */
static bool is_libc_alone(const struct config_naming *naming)
{
	return naming->init_addrs[0] == CONFIG_INIT_ADDR_END ||
		(naming->init_addrs[0] == CONFIG_INIT_ADDR_LIBC &&
			naming->init_addrs[1] == CONFIG_INIT_ADDR_END) ||
		(naming->init_addrs[0] == CONFIG_INIT_ADDR_LAST &&
			naming->init_addrs[1] == CONFIG_INIT_ADDR_LIBC &&
			naming->init_addrs[2] == CONFIG_INIT_ADDR_END);
}

static bool try_way(struct parser *parser, struct config_server *server, const struct address_spec *spec,
	enum config_init_addr way)
{
	switch (way) {
	case CONFIG_INIT_ADDR_END:
	case CONFIG_INIT_ADDR_LAST:
		return false;
	case CONFIG_INIT_ADDR_LIBC:
		return !parser->options->has_no_lookups &&
			address_resolve(spec, spec->port_first, &server->address) == 0;
	case CONFIG_INIT_ADDR_NONE:
		start_unresolved(server, spec->port_first);
		return true;
	case CONFIG_INIT_ADDR_IP:
		server->address = server->naming.init_address;
		address_set_port(&server->address, spec->port_first);
		return true;
	}
	return false;
}

int naming_resolve(struct parser *parser, struct config_server *server, const struct address_spec *spec)
{
	struct config_naming *naming = &server->naming;

	if (address_is_written_out(spec))
		return argument_resolve(parser, "server", spec, spec->port_first, &server->address);
	naming->host = arena_copy(parser->arena, spec->host);
	if (is_libc_alone(naming))
		return argument_resolve(parser, "server", spec, spec->port_first, &server->address);
	for (unsigned i = 0; naming->init_addrs[i] != CONFIG_INIT_ADDR_END; i++) {
		if (try_way(parser, server, spec, naming->init_addrs[i]))
			return 0;
	}
	report_alert(parser, "server '%s': 'init-addr' has found no address for the host '%s'", server->name,
		spec->host);
	return -EINVAL;
}

static struct config_resolvers *resolvers_find(const struct parser *parser, const char *name)
{
	struct config_resolvers *resolvers = parser->config->resolvers;

	while (resolvers != NULL && strcmp(resolvers->name, name) != 0)
		resolvers = resolvers->next;
	return resolvers;
}

void resolvers_begin(struct parser *parser, const char *name)
{
	struct config_resolvers **end = &parser->config->resolvers;
	struct config_resolvers *resolvers = arena_alloc(parser->arena, sizeof(*resolvers));

	if (resolvers_find(parser, name) != NULL)
		report_alert(parser, "there is a resolvers section '%s' already", name);
	while (*end != NULL)
		end = &(*end)->next;
	*end = resolvers;
	*resolvers = (struct config_resolvers){
		.name = arena_copy(parser->arena, name),
		.hold_valid_ms = HOLD_VALID_MS,
		.hold_nx_ms = HOLD_MS,
		.hold_other_ms = HOLD_MS,
		.hold_refused_ms = HOLD_MS,
		.hold_timeout_ms = HOLD_MS,
		.resolve_ms = RESOLVE_MS,
		.retry_ms = RESOLVE_MS,
		.tries = TRIES,
		.payload_bytes = PAYLOAD_BYTES,
		.place = parser->place,
	};
	parser->resolvers = resolvers;
}

static void server_link(struct parser *parser, struct config_server *server)
{
	struct config_naming *naming = &server->naming;

	if (naming->resolvers_name != NULL) {
		naming->resolvers = resolvers_find(parser, naming->resolvers_name);
		if (naming->resolvers == NULL)
			report_alert_at(parser, &server->place,
				"server '%s' wants the resolvers section '%s', which does not exist",
				server->name, naming->resolvers_name);
	} else if (naming->is_unresolved) {
		report_warning_at(parser, &server->place,
			"server '%s' starts without an address and stays so: it has no 'resolvers'",
			server->name);
	}
}

void resolvers_link(struct parser *parser)
{
	for (const struct config_resolvers *at = parser->config->resolvers; at != NULL; at = at->next) {
		if (at->nameservers == NULL)
			report_alert_at(
				parser, &at->place, "resolvers section '%s' has no 'nameserver'", at->name);
	}
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		for (struct config_server *server = draft->proxy.servers; server != NULL;
			server = server->next)
			server_link(parser, server);
	}
}
