/* Servers whose addresses are names: their first address, and who finds the next ones.
 * Private to config/. */
#pragma once

#include "config/parser.h"

/* No look-up would be needed. */
bool address_is_written_out(const struct address_spec *spec);
/* The first address of a server as its init-addr says; reports when there is none.  A server
 * that starts without has is_unresolved, and an address that is all zeros but for the port. */
int naming_resolve(
	struct parser *parser, struct config_server *server, const struct address_spec *spec) MUST_USE;
/* A new 'resolvers' section; reports a second one of that name. */
void resolvers_begin(struct parser *parser, const char *name);
/* Joins servers to the sections they name. */
void resolvers_link(struct parser *parser);
