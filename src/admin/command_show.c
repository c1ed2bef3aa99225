/* Commands that show the process as a whole. */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/info_table.h"
#include "base/clock.h"
#include "base/log.h"

static bool has_argument(const struct command *command, const char *word)
{
	const char *argument = NULL;
	for (unsigned i = 0; (argument = command_argument(command, i)); i++) {
		if (strcmp(argument, word) == 0)
			return true;
	}
	return false;
}

static void info_json_print(size_t position, const struct stat_value *value, struct text_grow *out)
{
	const struct info_field *field = &info_fields[position];
	text_grow_add(out, out->len > 1 ? ",{" : "{");
	text_grow_printf(out, "\"field\":{\"pos\":%zu,\"name\":\"%s\"},", position, field->name);
	stat_print_json(value, field->tags, out);
	text_grow_add(out, "}");
}

static void info_line_print(
	size_t position, const struct stat_value *value, bool is_typed, struct text_grow *out)
{
	const struct info_field *field = &info_fields[position];
	if (is_typed) {
		text_grow_printf(out, "%zu.%s.1", position, field->name);
		stat_print_typed(value, field->tags, out);
	} else {
		text_grow_printf(out, "%s: ", field->name);
		stat_print_plain(value, out);
	}
}

COMMAND(show_info)
{
	struct text_grow *out = command->out;
	bool has_descriptions = has_argument(command, "desc");
	bool is_typed = has_argument(command, "typed");
	bool is_json = has_argument(command, "json");
	if (is_json)
		text_grow_add(out, "[");
	for (size_t i = 0; i < info_fields_count; i++) {
		struct stat_value value = {.type = STAT_NONE};
		info_fields[i].get(command->admin, &value);
		if (value.type == STAT_NONE)
			continue;
		if (is_json) {
			info_json_print(i, &value, out);
			continue;
		}
		info_line_print(i, &value, is_typed, out);
		if (has_descriptions)
			text_grow_printf(out, ":\"%s\"", info_fields[i].sentence);
		text_grow_add(out, "\n");
	}
	if (is_json)
		text_grow_add(out, "]\n");
	return COMMAND_DONE;
}

COMMAND(show_version)
{
	return command_reply(command, SPLICED_VERSION);
}

/* No command may print an empty line, since that marks the end of an answer. */
COMMAND(show_startup_logs)
{
	char *rest = NULL;
	char *logs = log_startup_copy();
	if (!logs)
		return COMMAND_DONE;
	for (char *line = strtok_r(logs, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		text_grow_printf(command->out, "%s\n", line);
	free(logs);
	return COMMAND_DONE;
}

static const struct {
	const char *name;
	size_t offset;
} activity_rows[] = {
	{"loops", offsetof(struct loop_activity, passes)},
	{"waits", offsetof(struct loop_activity, waits)},
	{"poll_io", offsetof(struct loop_activity, events)},
	{"timers", offsetof(struct loop_activity, timers)},
	{"tasks", offsetof(struct loop_activity, tasks)},
	{"messages", offsetof(struct loop_activity, messages)},
	{"busy_us", offsetof(struct loop_activity, busy_us)},
};

static uint64_t activity_value(const struct worker *worker, size_t offset)
{
	struct loop_activity activity = {0};
	loop_activity_read(worker->loop, &activity);
	return *(const uint64_t *)(const void *)((const char *)&activity + offset);
}

static void per_worker_print(struct command *command, const char *name, const uint64_t *values)
{
	uint64_t sum = 0;
	unsigned workers = command->admin->instance->workers_count;
	for (unsigned i = 0; i < workers; i++)
		sum += values[i];
	text_grow_printf(command->out, "%s: %llu [", name, (unsigned long long)sum);
	for (unsigned i = 0; i < workers; i++)
		text_grow_printf(command->out, " %llu", (unsigned long long)values[i]);
	text_grow_add(command->out, " ]\n");
}

COMMAND(show_activity)
{
	uint64_t values[WORKERS_MAX] = {0};
	const struct instance *instance = command->admin->instance;
	uint64_t now_us = clock_wall_us();
	text_grow_printf(command->out, "date_now: %llu.%06llu\n", (unsigned long long)(now_us / 1000000),
		(unsigned long long)(now_us % 1000000));
	for (size_t row = 0; row < ARRAY_LENGTH(activity_rows); row++) {
		for (unsigned i = 0; i < instance->workers_count; i++)
			values[i] = activity_value(&instance->workers[i], activity_rows[row].offset);
		per_worker_print(command, activity_rows[row].name, values);
	}
	for (unsigned i = 0; i < instance->workers_count; i++)
		values[i] = counter_read(&instance->workers[i].sessions.sessions_ever);
	per_worker_print(command, "accepted", values);
	for (unsigned i = 0; i < instance->workers_count; i++)
		values[i] = command->admin->sampler.facts[i].sessions;
	per_worker_print(command, "sessions", values);
	return COMMAND_DONE;
}

/* cursor: the next object; step: 0 before the head of the answer. */
COMMAND(show_backend)
{
	const struct stat_objects *objects = &command->admin->objects;
	if (command->step++ == 0)
		text_grow_add(command->out, "# name\n");
	while (command->cursor < objects->count) {
		const struct stat_object *object = &objects->rows[command->cursor++];
		if (object->kind == STAT_BACKEND)
			text_grow_printf(command->out, "%s\n", object->proxy->name);
		if (command_chunk_is_full(command))
			return COMMAND_MORE;
	}
	return COMMAND_DONE;
}
