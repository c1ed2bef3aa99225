/* show resolvers: what is known of servers' names. */
#include <inttypes.h>
#include <string.h>

#include "admin/command.h"
#include "worker/resolver.h"

static void nameservers_print(const struct config_resolvers *config, struct text_grow *out)
{
	for (const struct config_nameserver *at = config->nameservers; at != NULL; at = at->next) {
		char text[ADDRESS_TEXT_MAX];
		address_print(&at->address, text, sizeof(text));
		text_grow_printf(out, " nameserver %s: %s\n", at->name, text);
	}
}

static void name_print(const struct resolver_name *name, struct text_grow *out)
{
	const struct server *server = name->server;
	char text[ADDRESS_TEXT_MAX] = "none";
	struct address address;
	server_address(server, &address);
	if (!server_is_unresolved(server))
		address_print(&address, text, sizeof(text));
	text_grow_printf(out,
		" server %s/%s:\n  name: %s\n  address: %s\n  status: %s\n  asked: %" PRIu64 "\n",
		server->backend->config->name, server->config->name, server->config->naming.host, text,
		name_status_text(name->status), name->asked);
	for (unsigned status = NAME_VALID; status < NAME_STATUSES; status++)
		text_grow_printf(out, "  %s: %" PRIu64 "\n", name_status_text((enum name_status)status),
			name->answers[status]);
	text_grow_printf(out, "  changed: %" PRIu64 "\n", name->changed);
}

COMMAND(show_resolvers)
{
	const char *only = command_argument(command, 0);
	bool is_found = only == NULL;
	for (const struct resolver *at = command->admin->instance->resolvers; at != NULL;
		at = resolver_next(at)) {
		const struct config_resolvers *config = resolver_config(at);
		if (only != NULL && strcmp(only, config->name) != 0)
			continue;
		is_found = true;
		text_grow_printf(command->out, "Resolvers section %s\n", config->name);
		nameservers_print(config, command->out);
		for (const struct resolver_name *name = resolver_names(at); name != NULL; name = name->next)
			name_print(name, command->out);
	}
	return is_found ? COMMAND_DONE : command_reply(command, "Can't find that resolvers section.");
}
