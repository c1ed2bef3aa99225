/* Commands that show and change servers. */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "backend/balancer.h"
#include "base/clock.h"
#include "base/lookup.h"
#include "check/check.h"
#include "check/check_status.h"

enum { WEIGHT_MAX = 256 };

static const struct lookup server_states[] = {
	{"ready", SERVER_READY}, {"drain", SERVER_DRAIN}, {"maint", SERVER_MAINT}};

static const struct lookup server_healths[] = {
	{"up", CHECK_FORCED_UP}, {"stopping", CHECK_FORCED_STOPPING}, {"down", CHECK_FORCED_DOWN}};

COMMAND(enable_server)
{
	struct server *server = command_server(command, command_argument(command, 0));
	if (server)
		check_set_admin(server, SERVER_READY);
	return COMMAND_DONE;
}

COMMAND(disable_server)
{
	struct server *server = command_server(command, command_argument(command, 0));
	if (server)
		check_set_admin(server, SERVER_MAINT);
	return COMMAND_DONE;
}

static enum command_progress weight_set(struct command *command, struct server *server, const char *text)
{
	char *end = NULL;
	if (!text)
		return command_reply(command, "Require <weight> or <weight%>.");
	unsigned long weight = strtoul(text, &end, 10);
	bool is_relative = *end == '%' && end[1] == '\0';
	if (end == text || text[0] == '-' || (*end && !is_relative))
		return command_reply(command, "A weight is a number or a percentage.");
	if (is_relative && weight > 0) {
		unsigned long most = (unsigned long)WEIGHT_MAX * 100;
		weight = (weight > most ? most : weight) * server->config->weight / 100;
		weight = weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
	}
	if (weight > WEIGHT_MAX)
		return command_reply(command, "Absolute weight can only be between 0 and 256 inclusive.");
	if (weight > 0 && weight != server->config->weight && balancer_is_static(server->backend->config))
		return command_reply(command,
			"Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.");
	server_set_weight(server, (uint32_t)weight);
	return COMMAND_DONE;
}

static enum command_progress check_switch(struct command *command, enum check_kind kind, bool is_enabled)
{
	struct server *server = command_server(command, command_argument(command, 0));
	if (!server)
		return COMMAND_DONE;
	if (check_enable(server, kind, is_enabled) < 0)
		text_grow_printf(command->out, "%s not configured on this server, cannot %s it.\n",
			kind == CHECK_HEALTH ? "Health check was" : "Agent was",
			is_enabled ? "enable" : "disable");
	return COMMAND_DONE;
}

COMMAND(enable_health)
{
	return check_switch(command, CHECK_HEALTH, true);
}

COMMAND(disable_health)
{
	return check_switch(command, CHECK_HEALTH, false);
}

COMMAND(enable_agent)
{
	return check_switch(command, CHECK_AGENT, true);
}

COMMAND(disable_agent)
{
	return check_switch(command, CHECK_AGENT, false);
}

static enum command_progress state_set(struct command *command, struct server *server, const char *value)
{
	int state = SERVER_READY;
	if (!value || !lookup_value(server_states, ARRAY_LENGTH(server_states), value, &state))
		return command_reply(
			command, "'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
	check_set_admin(server, (enum server_admin)state);
	return COMMAND_DONE;
}

static enum command_progress health_set(struct command *command, struct server *server, const char *value)
{
	int health = CHECK_FORCED_UP;
	if (server->config->track)
		return command_reply(command, "cannot change health on a tracking server.");
	if (!value || !lookup_value(server_healths, ARRAY_LENGTH(server_healths), value, &health))
		return command_reply(
			command, "'set server <srv> health' expects 'up', 'stopping', or 'down'.");
	check_force_health(server, (enum check_forced)health);
	return COMMAND_DONE;
}

static enum command_progress agent_set(struct command *command, struct server *server, const char *value)
{
	int health = CHECK_FORCED_UP;
	if (server->config->track)
		return command_reply(command, "cannot change health on a tracking server.");
	if (!server->config->agent.is_on)
		return command_reply(command, "agent checks are not enabled on this server.");
	if (!value || !lookup_value(server_healths, ARRAY_LENGTH(server_healths), value, &health) ||
		health == CHECK_FORCED_STOPPING)
		return command_reply(command, "'set server <srv> agent' expects 'up' or 'down'.");
	check_force_agent(server, health == CHECK_FORCED_UP);
	return COMMAND_DONE;
}

static const struct {
	const char *name;
	enum command_progress (*set)(struct command *command, struct server *server, const char *value);
} server_settings[] = {
	{"agent", agent_set},
	{"health", health_set},
	{"state", state_set},
	{"weight", weight_set},
};

COMMAND(set_server)
{
	struct server *server = command_server(command, command_argument(command, 0));
	const char *what = command_argument(command, 1);
	if (!server)
		return COMMAND_DONE;
	for (size_t i = 0; what && i < ARRAY_LENGTH(server_settings); i++) {
		if (strcmp(server_settings[i].name, what) == 0)
			return server_settings[i].set(command, server, command_argument(command, 2));
	}
	return command_reply(
		command, "usage: set server <backend>/<server> agent | health | state | weight <value>");
}

COMMAND(set_weight)
{
	struct server *server = command_server(command, command_argument(command, 0));
	return server ? weight_set(command, server, command_argument(command, 1)) : COMMAND_DONE;
}

COMMAND(get_weight)
{
	struct server *server = command_server(command, command_argument(command, 0));
	if (server)
		text_grow_printf(command->out, "%u (initial %u)\n", stat_gauge(&server->weight),
			server->config->weight);
	return COMMAND_DONE;
}

/* The optional argument names one backend.  Returns false when there is none such. */
static bool backend_argument(struct command *command, const struct backend **ret_only)
{
	const char *name = command_argument(command, 0);
	*ret_only = name ? command_backend(command, name) : NULL;
	if (name && !*ret_only)
		text_grow_add(command->out, "Can't find backend.\n");
	return !name || *ret_only;
}

static void server_print_address(const struct server *server, char *ret_host, size_t size, unsigned *ret_port)
{
	struct endpoint endpoint;
	struct address address;
	server_address(server, &address);
	endpoint_from_address(&address, &endpoint);
	endpoint_print_host(&endpoint, ret_host, size);
	*ret_port = endpoint.port;
}

/* HAProxy's numbers: 0 is stopped, 2 running, 3 stopping. */
static unsigned operational_state(const struct server *server)
{
	bool is_up = __atomic_load_n(&server->is_up, __ATOMIC_RELAXED);
	enum server_admin admin = __atomic_load_n(&server->admin, __ATOMIC_RELAXED);
	bool is_stopping = __atomic_load_n(&server->is_stopping, __ATOMIC_RELAXED);
	if (!is_up || admin == SERVER_MAINT)
		return 0;
	return is_stopping ? 3 : 2;
}

/* HAProxy's bits: forced maintenance, maintenance by configuration, forced drain, no address. */
static unsigned admin_state(const struct server *server)
{
	enum { FORCED_MAINTENANCE = 1, CONFIGURED_MAINTENANCE = 4, FORCED_DRAIN = 8, UNRESOLVED = 32 };
	switch (__atomic_load_n(&server->admin, __ATOMIC_RELAXED)) {
	case SERVER_READY:
		return 0;
	case SERVER_DRAIN:
		return FORCED_DRAIN;
	case SERVER_MAINT:
		if (server_is_unresolved(server))
			return UNRESOLVED;
		return FORCED_MAINTENANCE | (server->config->is_disabled ? CONFIGURED_MAINTENANCE : 0);
	}
	return 0;
}

/* HAProxy's bits of a check: under way, configured, enabled, resting; an agent's. */
static unsigned check_bits(const struct server *server, enum check_kind kind)
{
	enum { RUNNING = 1, CONFIGURED = 2, ENABLED = 4, PAUSED = 8, AGENT = 16 };
	struct check_view view;
	if (!check_view(server, kind, &view))
		return 0;
	return (view.is_running ? RUNNING : 0) | CONFIGURED | (view.is_enabled ? ENABLED : 0) |
		(view.is_paused ? PAUSED : 0) | (kind == CHECK_AGENT ? AGENT : 0);
}

static void address_print_or_dash(const struct address *address, struct text_grow *out)
{
	char host[ADDRESS_TEXT_MAX] = "-";
	struct endpoint endpoint;
	if (address->len > 0) {
		endpoint_from_address(address, &endpoint);
		endpoint_print_host(&endpoint, host, sizeof(host));
	}
	text_grow_add(out, host);
}

/* srv_check_status to srv_agent_state. */
static void checks_print(const struct server *server, struct text_grow *out)
{
	struct check_view view = {.status = CHECK_INITIAL};
	bool is_counted = check_view(server, CHECK_HEALTH, &view) && !view.is_paused;
	unsigned value = is_counted ? view.value : 0;
	const struct check_status_row *row = check_status_row(view.status);
	text_grow_printf(out, "%u %u %u %u %u", row->number, (unsigned)row->result, value,
		check_bits(server, CHECK_HEALTH), check_bits(server, CHECK_AGENT));
}

static void server_state_print(struct command *command, const struct server *server)
{
	char host[ADDRESS_TEXT_MAX];
	unsigned port = 0;
	const struct config_proxy *proxy = server->backend->config;
	uint64_t changed_us = stat_wall_read(&server->state_changed_wall_us);
	uint64_t now_us = clock_wall_us();
	uint64_t age = now_us > changed_us ? (now_us - changed_us) / 1000000 : 0;
	unsigned weight = stat_gauge(&server->weight);
	const char *fqdn = server->config->naming.host != NULL ? server->config->naming.host : "-";
	server_print_address(server, host, sizeof(host), &port);
	text_grow_printf(command->out, "%u %s %u %s %s ", proxy->id, proxy->name, server->config->id,
		server->config->name, host);
	text_grow_printf(command->out, "%u %u %u %u %llu ", operational_state(server), admin_state(server),
		weight, server->config->weight, (unsigned long long)age);
	checks_print(server, command->out);
	text_grow_printf(command->out, " 0 0 %s %u - 0 %u ", fqdn, port, server->config->check.port);
	address_print_or_dash(&server->config->check.address, command->out);
	text_grow_add(command->out, " ");
	address_print_or_dash(&server->config->agent.address, command->out);
	text_grow_printf(command->out, " %u\n", server->config->agent.port);
}

static void server_conn_print(struct command *command, const struct server *server)
{
	char host[ADDRESS_TEXT_MAX];
	unsigned port = 0;
	const struct config_proxy *proxy = server->backend->config;
	unsigned now = stat_gauge(&server->conn_cur);
	server_print_address(server, host, sizeof(host), &port);
	text_grow_printf(command->out, "%s/%s %u/%u %s %u - 0 %u %u %u 0 0 -1 0\n", proxy->name,
		server->config->name, proxy->id, server->config->id, host, port, now,
		stat_gauge(&server->conn_max), now);
}

/* cursor: the next object; step: 0 before the head of the answer. */
static enum command_progress servers_print(
	struct command *command, const char *head, void (*print)(struct command *, const struct server *))
{
	const struct backend *only = NULL;
	const struct stat_objects *objects = &command->admin->objects;
	if (!backend_argument(command, &only))
		return COMMAND_DONE;
	if (command->step++ == 0)
		text_grow_add(command->out, head);
	while (command->cursor < objects->count) {
		const struct stat_object *object = &objects->rows[command->cursor++];
		if (object->kind == STAT_SERVER && (!only || object->backend == only))
			print(command, object->server);
		if (command_chunk_is_full(command))
			return COMMAND_MORE;
	}
	return COMMAND_DONE;
}

COMMAND(show_servers_state)
{
	return servers_print(command,
		"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
		"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
		"srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
		"srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n",
		server_state_print);
}

COMMAND(show_servers_conn)
{
	return servers_print(command,
		"# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb "
		"idle_lim idle_cur\n",
		server_conn_print);
}
