/* 'track': the server that another one's state follows. */
#include <string.h>

#include "config/keyword.h"
#include "config/parser.h"

static struct config_proxy *backend_find(const struct parser *parser, const char *name, size_t len)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		struct config_proxy *proxy = &draft->proxy;

		if ((proxy->roles & CONFIG_ROLE_BACKEND) != 0 && strncmp(proxy->name, name, len) == 0 &&
			proxy->name[len] == '\0')
			return proxy;
	}
	return NULL;
}

static const struct config_server *server_find(const struct config_proxy *proxy, const char *name)
{
	for (const struct config_server *server = proxy->servers; server != NULL; server = server->next) {
		if (strcmp(server->name, name) == 0)
			return server;
	}
	return NULL;
}

static void resolve(struct parser *parser, const struct config_proxy *own, struct config_server *server)
{
	const char *slash = strrchr(server->track, '/');
	const char *name = slash != NULL ? slash + 1 : server->track;
	size_t len = slash != NULL ? (size_t)(slash - server->track) : strlen(own->name);
	const struct config_proxy *proxy =
		backend_find(parser, slash != NULL ? server->track : own->name, len);

	if (proxy == NULL || proxy->is_disabled) {
		report_alert_at(parser, &server->place, "server '%s': 'track %s' wants a backend that %s",
			server->name, server->track, proxy == NULL ? "does not exist" : "is disabled");
		return;
	}
	server->tracked = server_find(proxy, name);
	if (server->tracked == NULL)
		report_alert_at(parser, &server->place,
			"server '%s': 'track %s' wants a server that does not exist", server->name,
			server->track);
}

/* Of two that go along the chain at different speeds the faster one meets the other
 * if and only if the chain is a circle. */
static bool is_circle(const struct config_server *server)
{
	const struct config_server *slow = server, *fast = server;

	while (fast != NULL && fast->tracked != NULL) {
		slow = slow->tracked;
		fast = fast->tracked->tracked;
		if (slow == fast)
			return true;
	}
	return false;
}

void tracking_resolve(struct parser *parser)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		for (struct config_server *server = draft->proxy.servers; server != NULL;
			server = server->next) {
			if (server->track != NULL)
				resolve(parser, &draft->proxy, server);
		}
	}
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		for (struct config_server *server = draft->proxy.servers; server != NULL;
			server = server->next) {
			if (is_circle(server))
				report_alert_at(parser, &server->place,
					"server '%s': 'track %s' goes round in a circle", server->name,
					server->track);
		}
	}
}
