/* Passing the listening sockets to a new process. */
#include <string.h>

#include "admin/command.h"
#include "base/log.h"

COMMAND(getsocks)
{
	const struct command_session *session = command->session;
	struct socket_set set = {0};
	if (!session->can_take_sockets)
		return command_reply(command, "This socket does not have 'expose-fd listeners'.");
	int error = admin_sockets_offer(command->admin, &set);
	if (error == 0)
		error = socket_set_send(&set, session->fd);
	socket_set_release(&set);
	if (error < 0) {
		log_event(LOG_LEVEL_WARNING, "the listening sockets could not be passed on: %s",
			strerror(-error));
		return command_reply(command, "Failed.");
	}
	admin_sockets_given(command->admin);
	log_event(LOG_LEVEL_NOTICE, "Another process has the listening sockets now, too.");
	return COMMAND_DONE;
}
