/* Accepts clients of the runtime socket, never more than `stats maxconn`. */
#include "admin/runtime_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/runtime_client.h"
#include "base/fd.h"
#include "base/log.h"

enum {
	ACCEPT_PAUSE_MS = 100, /* after descriptors ran out */
	TIMEOUT_MS = 10000, /* without stats timeout */
	CLIENTS_MAX = 10, /* without stats maxconn */
};

struct runtime_listener {
	struct runtime_listener *next;
	struct runtime_server *server;
	const struct config_stats_socket *config;
	struct admin_socket listening;
	struct loop_watch watch;
};

struct runtime_server {
	struct admin *admin;
	struct runtime_listener *listeners;
	struct list clients; /* served now */
	struct list leaving; /* gone, freed at the end of this pass */
	unsigned clients_count, clients_max;
	struct loop_timer timer; /* accepts again */
};

static void on_listener_ready(struct loop_watch *watch, unsigned events);

/* Listening sockets are watched while there is room for a client. */
static void server_watch(struct runtime_server *server)
{
	bool has_room = server->clients_count < server->clients_max && !loop_timer_is_set(&server->timer);
	for (struct runtime_listener *listener = server->listeners; listener; listener = listener->next) {
		bool is_live = loop_watch_is_live(&listener->watch);
		if (is_live && !has_room)
			loop_watch_remove(server->admin->loop, &listener->watch, false);
		if (is_live || !has_room || listener->listening.fd < 0)
			continue;
		int error = loop_watch_add(server->admin->loop, &listener->watch, listener->listening.fd,
			LOOP_READABLE | LOOP_LEVEL, on_listener_ready);
		if (error != 0)
			loop_timer_set(server->admin->loop, &server->timer,
				loop_now_ms(server->admin->loop) + ACCEPT_PAUSE_MS);
	}
}

static void on_timer(struct loop_timer *timer)
{
	server_watch(container_of(timer, struct runtime_server, timer));
}

static void on_gone(void *context, struct runtime_client *client)
{
	struct runtime_server *server = context;
	list_remove(runtime_client_node(client));
	list_add(&server->leaving, runtime_client_node(client));
	server->clients_count--;
	server_watch(server);
}

/* What is not said is filled in. */
static void client_open(struct runtime_server *server, struct runtime_client_options *options)
{
	struct runtime_client *client = NULL;
	uint32_t stats_timeout = server->admin->global->stats_timeout_ms;
	options->admin = server->admin;
	options->timeout_ms = stats_timeout > 0 ? stats_timeout : TIMEOUT_MS;
	options->on_gone = on_gone;
	options->context = server;
	if (runtime_client_create(options, &client) != 0)
		return;
	list_add(&server->clients, runtime_client_node(client));
	server->clients_count++;
}

void runtime_server_adopt(struct runtime_server *server, int fd, const char *line)
{
	struct runtime_client_options options = {.fd = fd, .level = CONFIG_LEVEL_ADMIN, .line = line};
	if (server->clients_count < server->clients_max) {
		client_open(server, &options);
		server_watch(server);
		return;
	}
	log_event(LOG_LEVEL_WARNING, "a client of the master is refused: stats maxconn is reached.");
	fd_close(&fd);
}

static void on_listener_ready(struct loop_watch *watch, unsigned events)
{
	struct runtime_listener *listener = container_of(watch, struct runtime_listener, watch);
	struct runtime_server *server = listener->server;
	(void)events;
	while (server->clients_count < server->clients_max) {
		int fd = accept4(listener->listening.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			struct runtime_client_options options = {
				.fd = fd,
				.level = listener->config->level,
				.can_take_sockets = listener->config->expose_fd_listeners,
			};
			client_open(server, &options);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			loop_timer_set(server->admin->loop, &server->timer,
				loop_now_ms(server->admin->loop) + ACCEPT_PAUSE_MS);
		break;
	}
	server_watch(server);
}

static int listener_add(struct runtime_server *server, const struct config_stats_socket *config)
{
	char name[ADDRESS_TEXT_MAX];
	struct admin_socket_options options = {
		.address = config->address,
		.mode = config->mode,
		.uid = config->uid,
		.gid = config->gid,
		.bound_before = server->admin->instance->bound_before,
	};
	struct runtime_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->server = server;
	listener->config = config;
	listener->watch.fd = -1;
	int error = admin_socket_open(&options, &listener->listening);
	if (error != 0) {
		address_print(&config->address, name, sizeof(name));
		log_event(LOG_LEVEL_ALERT, "config : [%s:%u] : stats socket: cannot listen at [%s] (%s).",
			config->place.file ? config->place.file : "-", config->place.line, name,
			strerror(-error));
		free(listener);
		return error;
	}
	listener->next = server->listeners;
	server->listeners = listener;
	return 0;
}

int runtime_server_create(struct admin *admin, struct runtime_server **ret_server)
{
	struct runtime_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->admin = admin;
	server->clients_max = admin->global->stats_maxconn > 0 ? admin->global->stats_maxconn : CLIENTS_MAX;
	list_init(&server->clients);
	list_init(&server->leaving);
	loop_timer_init(&server->timer, on_timer);
	for (const struct config_stats_socket *config = admin->global->stats_sockets; config;
		config = config->next) {
		int error = listener_add(server, config);
		if (error != 0) {
			runtime_server_destroy(server);
			return error;
		}
	}
	server_watch(server);
	*ret_server = server;
	return 0;
}

int runtime_server_offer(const struct runtime_server *server, struct socket_set *set)
{
	int error = 0;
	for (const struct runtime_listener *listener = server ? server->listeners : NULL;
		listener && error == 0; listener = listener->next)
		error = admin_socket_offer(&listener->listening, set);
	return error;
}

void runtime_server_leave(struct runtime_server *server)
{
	for (struct runtime_listener *listener = server ? server->listeners : NULL; listener;
		listener = listener->next) {
		if (listener->listening.path_inode != 0)
			continue;
		loop_watch_remove(server->admin->loop, &listener->watch, false);
		admin_socket_close(&listener->listening);
	}
}

void runtime_server_destroy(struct runtime_server *server)
{
	if (!server)
		return;
	list_splice(&server->clients, &server->leaving);
	while (!list_is_empty(&server->clients)) {
		struct runtime_client *client = runtime_client_of(server->clients.next);
		list_remove(runtime_client_node(client));
		runtime_client_destroy(client);
	}
	while (server->listeners) {
		struct runtime_listener *listener = server->listeners;
		server->listeners = listener->next;
		loop_watch_remove(server->admin->loop, &listener->watch, false);
		admin_socket_close(&listener->listening);
		free(listener);
	}
	loop_timer_cancel(server->admin->loop, &server->timer);
	free(server);
}
