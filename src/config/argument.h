/* Arguments that several keywords share: addresses, users, file modes.  Mistakes
 * are reported by these functions.  Private to config/. */
#pragma once

#include "config/keyword.h"

/* Looks the address of a parsed text up.  what: the keyword for messages. */
int argument_resolve(struct parser *parser, const char *what, const struct address_spec *spec, uint16_t port,
	struct address *ret_address) MUST_USE;
/* One address with exactly one port (or a unix path, or an abstract name), looked up. */
int argument_address(
	struct parser *parser, const char *what, const char *text, struct address *ret_address) MUST_USE;

#define ARGUMENT_SOURCE \
	"<address>[:<port>[-<port>]] [usesrc client|clientip|<address>[:<port>]] [interface <name>]"
/* A host without a port, looked up; an address as it is, or a name. */
int argument_host(
	struct parser *parser, const char *what, const char *text, struct address *ret_address) MUST_USE;

/* "source"'s arguments: address, port range, 'usesrc WHOM', 'interface NAME'.  Returns the
 * arguments taken, or -EINVAL. */
int argument_source(struct parser *parser, const struct statement *statement,
	struct config_source_address *ret_source) MUST_USE;

/* Handlers for rows whose member is the int at their offset: a user's or group's
 * name or number, an octal file mode. */
int argument_parse_user(struct parser *parser, const struct statement *statement);
int argument_parse_group(struct parser *parser, const struct statement *statement);
int argument_parse_id(struct parser *parser, const struct statement *statement); /* numbers only */
int argument_parse_mode(struct parser *parser, const struct statement *statement);
