/* Commands about the connection to the runtime socket itself. */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/lookup.h"

static const struct lookup levels[] = {
	{"user", CONFIG_LEVEL_USER}, {"operator", CONFIG_LEVEL_OPERATOR}, {"admin", CONFIG_LEVEL_ADMIN}};

static const struct lookup units_ms[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}};

COMMAND(prompt)
{
	command->session->is_interactive = !command->session->is_interactive;
	return COMMAND_DONE;
}

COMMAND(quit)
{
	command->session->is_quitting = true;
	return COMMAND_DONE;
}

COMMAND(level_lower)
{
	int level = CONFIG_LEVEL_USER;
	(void)lookup_value(levels, ARRAY_LENGTH(levels), command->words[0], &level);
	if ((int)command->session->level < level)
		return command_reply(command, "Permission denied");
	command->session->level = (enum config_runtime_level)level;
	return COMMAND_DONE;
}

COMMAND(set_timeout)
{
	enum { LONGEST_MS = 24 * 60 * 60 * 1000 };
	int unit_ms = 1000;
	const char *delay = command_argument(command, 0);
	char *end = NULL;
	unsigned long long number = delay ? strtoull(delay, &end, 10) : 0;
	if (!delay || end == delay || delay[0] == '-' || number == 0)
		return command_reply(command, "A positive delay is expected, like 30s or 2m.");
	if (*end && !lookup_value(units_ms, ARRAY_LENGTH(units_ms), end, &unit_ms))
		return command_reply(command, "Unknown unit, known are ms, s, m, h and d.");
	if (number > LONGEST_MS / (unsigned)unit_ms)
		return command_reply(command, "The delay is longer than a day.");
	command->session->timeout_ms = (uint32_t)(number * (unsigned)unit_ms);
	return COMMAND_DONE;
}

COMMAND(show_cli_level)
{
	return command_reply(
		command, lookup_name(levels, ARRAY_LENGTH(levels), (int)command->session->level));
}

static const char *family_prefix(const struct address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return "ipv4@";
	case AF_INET6:
		return "ipv6@";
	}
	/* What is abstract is printed with its abns@ already. */
	return address->local.sun_path[0] == '/' ? "unix@" : "";
}

COMMAND(show_cli_sockets)
{
	char text[ADDRESS_TEXT_MAX];
	text_grow_add(command->out, "# socket lvl processes\n");
	for (const struct config_stats_socket *listening = command->admin->global->stats_sockets; listening;
		listening = listening->next) {
		address_print(&listening->address, text, sizeof(text));
		text_grow_printf(command->out, "%s%s %s all\n", family_prefix(&listening->address), text,
			lookup_name(levels, ARRAY_LENGTH(levels), (int)listening->level));
	}
	return COMMAND_DONE;
}
