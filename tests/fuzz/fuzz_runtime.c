/* Lines of the runtime socket: split into words, every command run to its end
 * against a small instance without workers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_internal.h"
#include "admin/command.h"
#include "base/check.h"
#include "base/log.h"

static struct config_server servers[2] = {
	{.next = &servers[1], .name = "one", .id = 1, .weight = 2},
	{.name = "two", .id = 2, .weight = 1, .is_backup = true},
};
static struct config_proxy proxy = {
	.name = "relayed",
	.id = 2,
	.roles = CONFIG_ROLE_FRONTEND | CONFIG_ROLE_BACKEND,
	.servers = servers,
	.servers_count = 2,
	.maxconn = 100,
};
static struct config config = {.proxies = &proxy};
static struct instance instance = {.config = &config, .limits = {.maxconn = 1000}};
static struct admin *admin;

static void instance_make(void)
{
	log_set_stderr_level(-1);
	instance.control_loop = loop_create();
	CHECK(instance.control_loop);
	CHECK(frontend_create(&proxy, 1, 1000, &instance.frontends) == 0);
	CHECK(backend_create(&proxy, 1, &instance.backends) == 0);
	CHECK(admin_create(&instance, &admin) == 0);
}

static void command_run(struct command *command)
{
	enum command_progress progress = COMMAND_MORE;
	command_start(command);
	while (progress == COMMAND_MORE) {
		command->out->len = 0;
		progress = command_advance(command);
		CHECK(!command->out->is_cut);
	}
	CHECK(progress == COMMAND_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[COMMAND_LINE_MAX + 1];
	char *rest = line;
	struct text_grow out;
	struct command_session session = {.level = CONFIG_LEVEL_ADMIN};
	struct command command = {.session = &session, .out = &out};
	if (size == 0 || size > COMMAND_LINE_MAX)
		return 0;
	if (!admin)
		instance_make();
	command.admin = admin;
	session.level = (enum config_runtime_level)(data[0] % 3);
	/* As the client's reader does: no newline, no zero byte inside. */
	for (size_t i = 1; i < size; i++)
		line[i - 1] = data[i] && data[i] != '\n' ? (char)data[i] : '?';
	line[size - 1] = '\0';
	text_grow_init(&out, COMMAND_OUTPUT_MAX);
	while (command_line_next(&rest, command.words, &command.words_count)) {
		if (command.words_count > 0 && strstr(command.words[0], "shutdown"))
			continue;
		command_run(&command);
	}
	text_grow_release(&out);
	return 0;
}
