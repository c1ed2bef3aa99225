/* One server line into a struct config_server. */
#include "config/server_line.h"

#include <errno.h>
#include <string.h>

#include "config/argument.h"
#include "config/naming.h"

/* What a server's port may be: one, none (the client's own), or the client's plus
 * an offset. */
static int resolve_ip(struct parser *parser, struct config_server *server, const struct address_spec *spec)
{
	if (spec->host[0] == '\0' || strcmp(spec->host, "*") == 0 || strcmp(spec->host, "0.0.0.0") == 0 ||
		strcmp(spec->host, "::") == 0) {
		report_alert(parser,
			"server '%s' has no address: forwarding to the address the client asked for is not supported in this version",
			server->name);
		return -EINVAL;
	}
	if (spec->port_first != spec->port_last) {
		report_alert(parser, "server '%s': a server cannot have a range of ports", server->name);
		return -EINVAL;
	}
	server->is_port_mapped = !spec->has_port || spec->is_port_relative;
	server->port_offset = spec->port_offset;
	return naming_resolve(parser, server, spec);
}

static int resolve(struct parser *parser, struct config_server *server, const char *text)
{
	struct address_spec spec;
	const char *reason;

	if (address_parse(text, &spec, &reason) < 0) {
		report_alert(
			parser, "server '%s': the address '%s' is wrong: %s", server->name, text, reason);
		return -EINVAL;
	}
	server->address_text = arena_copy(parser->arena, text);
	switch (spec.kind) {
	case ADDRESS_IP:
		return resolve_ip(parser, server, &spec);
	case ADDRESS_UNIX:
	case ADDRESS_ABSTRACT:
		return argument_resolve(parser, "server", &spec, 0, &server->address);
	case ADDRESS_FD:
		break;
	}
	report_alert(parser, "server '%s': an inherited descriptor ('%s') cannot be a server's address",
		server->name, text);
	return -EINVAL;
}

/* An interface without a source address means any address of that interface. */
static void complete_source(struct config_server *server)
{
	struct config_source_address *source = &server->source;

	if (source->interface == NULL || source->is_set)
		return;
	source->is_set = true;
	memset(&source->address, 0, sizeof(source->address));
	if (server->address.any.sa_family == AF_INET6) {
		source->address.v6.sin6_family = AF_INET6;
		source->address.len = sizeof(source->address.v6);
	} else {
		source->address.v4.sin_family = AF_INET;
		source->address.len = sizeof(source->address.v4);
	}
}

static void link_server(struct parser *parser, const struct config_server *server)
{
	struct config_server *copy = arena_alloc(parser->arena, sizeof(*copy));

	*copy = *server;
	*parser->draft->servers_end = copy;
	parser->draft->servers_end = &copy->next;
	parser->draft->proxy.servers_count++;
}

int server_line_parse(struct parser *parser, const struct statement *statement)
{
	struct config_server server = parser->draft->default_server;
	struct parameters parameters = {.line = ON_SERVER, .target = &server};
	bool is_wrong;
	char bad;

	if (statement->count < 2 || statement->words[0][0] == '\0' || statement->words[1][0] == '\0')
		return statement_refuse(parser, statement);
	server.name = arena_copy(parser->arena, statement->words[0]);
	server.place = parser->place;
	bad = name_bad_character(server.name);
	if (bad != '\0') {
		report_alert(
			parser, "character '%c' is not permitted in the server name '%s'", bad, server.name);
		return -EINVAL;
	}
	parameters.words = statement->words + 2;
	parameters.count = statement->count - 2;
	/* The parameters say how a name is looked up. */
	is_wrong = keyword_run_parameters(parser, &parameters) < 0;
	if (resolve(parser, &server, statement->words[1]) < 0 || is_wrong)
		return -EINVAL;
	complete_source(&server);
	link_server(parser, &server);
	return (int)statement->count;
}

int server_line_parse_default(struct parser *parser, const struct statement *statement)
{
	struct parameters parameters = {
		.line = ON_SERVER,
		.words = statement->words,
		.count = statement->count,
		.target = &parser->draft->default_server,
	};

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (keyword_run_parameters(parser, &parameters) < 0)
		return -EINVAL;
	if (parser->draft->default_server.id != 0) {
		report_alert(parser, "'id' cannot be a default of several servers");
		parser->draft->default_server.id = 0;
		return -EINVAL;
	}
	return (int)statement->count;
}
