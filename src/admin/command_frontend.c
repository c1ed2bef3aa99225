/* Commands that change frontends and the process's limit. */
#include <errno.h>
#include <stdlib.h>

#include "admin/command.h"

/* NULL: the answer says already why. */
static struct frontend *frontend_argument(struct command *command)
{
	const char *name = command_argument(command, 0);
	struct frontend *frontend = name ? command_frontend(command, name) : NULL;
	if (!name)
		text_grow_add(command->out, "A frontend name is expected.\n");
	else if (!frontend)
		text_grow_add(command->out, "No such frontend.\n");
	return frontend;
}

static bool number_parse(const char *text, uint32_t *ret_number)
{
	char *end = NULL;
	errno = 0;
	unsigned long number = text ? strtoul(text, &end, 10) : 0;
	if (!text || end == text || *end || text[0] == '-' || errno != 0 || number > UINT32_MAX)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static enum command_progress state_set(
	struct command *command, struct frontend *frontend, enum frontend_state state)
{
	if (instance_frontend_set_state(command->admin->instance, frontend, state) < 0)
		return command_reply(command, "Failed: out of memory.");
	return COMMAND_DONE;
}

COMMAND(shutdown_frontend)
{
	struct frontend *frontend = frontend_argument(command);
	if (!frontend)
		return COMMAND_DONE;
	if (__atomic_load_n(&frontend->state, __ATOMIC_RELAXED) == FRONTEND_STOPPED)
		return command_reply(command, "Frontend was already shut down.");
	return state_set(command, frontend, FRONTEND_STOPPED);
}

static enum command_progress frontend_change(
	struct command *command, enum frontend_state state, const char *already)
{
	struct frontend *frontend = frontend_argument(command);
	if (!frontend)
		return COMMAND_DONE;
	enum frontend_state now = __atomic_load_n(&frontend->state, __ATOMIC_RELAXED);
	if (now == FRONTEND_STOPPED)
		return command_reply(command, "Frontend was previously shut down, this cannot be undone.");
	if (now == state)
		return command_reply(command, already);
	return state_set(command, frontend, state);
}

COMMAND(enable_frontend)
{
	return frontend_change(command, FRONTEND_OPEN, "All sockets are already enabled.");
}

COMMAND(disable_frontend)
{
	return frontend_change(command, FRONTEND_PAUSED, "All sockets are already disabled.");
}

COMMAND(set_maxconn_frontend)
{
	uint32_t maxconn = 0;
	struct frontend *frontend = frontend_argument(command);
	if (!frontend)
		return COMMAND_DONE;
	if (!number_parse(command_argument(command, 1), &maxconn))
		return command_reply(command, "Integer value expected.");
	__atomic_store_n(&frontend->maxconn, maxconn, __ATOMIC_RELAXED);
	acceptor_wake_all(&command->admin->instance->limits);
	return COMMAND_DONE;
}

COMMAND(set_maxconn_global)
{
	uint32_t maxconn = 0;
	struct admin *admin = command->admin;
	if (!number_parse(command_argument(command, 0), &maxconn))
		return command_reply(command, "Expects an integer value.");
	if (maxconn > admin->maxconn_initial && admin->maxconn_initial > 0)
		return command_reply(command, "Value out of range.");
	__atomic_store_n(&admin->instance->limits.maxconn, maxconn ? maxconn : admin->maxconn_initial,
		__ATOMIC_RELAXED);
	acceptor_wake_all(&admin->instance->limits);
	return COMMAND_DONE;
}

COMMAND(set_maxconn_server)
{
	uint32_t maxconn = 0;
	struct server *server = command_server(command, command_argument(command, 0));
	if (!server)
		return COMMAND_DONE;
	if (!command_argument(command, 1))
		return command_reply(command, "Require <maxconn>.");
	if (!number_parse(command_argument(command, 1), &maxconn))
		return command_reply(command, "Integer value expected.");
	server_set_maxconn(server, maxconn);
	return COMMAND_DONE;
}
