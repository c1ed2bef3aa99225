/* show stat and clear counters. */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/stat_table.h"

enum stat_style { STYLE_CSV, STYLE_TYPED, STYLE_JSON };

/* What the arguments of one `show stat` ask for. */
struct stat_request {
	enum stat_style style;
	bool has_descriptions, only_up, hides_maintenance;
	bool is_selected; /* <iid|proxy> <type> <sid> were given */
	long proxy_id, kinds, object_id; /* -1: all */
	bool is_proxy_unknown;
};

static const struct config_proxy *proxy_find(const struct command *command, const char *name)
{
	const struct config_proxy *proxy = command->admin->instance->config->proxies;
	while (proxy && strcmp(proxy->name, name) != 0)
		proxy = proxy->next;
	return proxy;
}

/* Three arguments that select; a name that is no number is a proxy's. */
static void selection_parse(const struct command *command, unsigned first, struct stat_request *request)
{
	char *end = NULL;
	const char *name = command_argument(command, first);
	request->is_selected = true;
	request->proxy_id = strtol(name, &end, 10);
	request->kinds = strtol(command_argument(command, first + 1), NULL, 10);
	request->object_id = strtol(command_argument(command, first + 2), NULL, 10);
	if (*end == '\0')
		return;
	const struct config_proxy *proxy = proxy_find(command, name);
	request->is_proxy_unknown = !proxy;
	request->proxy_id = proxy ? (long)proxy->id : -1;
}

static bool word_parse(const char *word, struct stat_request *request)
{
	if (strcmp(word, "typed") == 0)
		request->style = STYLE_TYPED;
	else if (strcmp(word, "json") == 0)
		request->style = STYLE_JSON;
	else if (strcmp(word, "desc") == 0)
		request->has_descriptions = true;
	else if (strcmp(word, "up") == 0)
		request->only_up = true;
	else if (strcmp(word, "no-maint") == 0)
		request->hides_maintenance = true;
	else
		return false;
	return true;
}

static void request_parse(const struct command *command, struct stat_request *ret_request)
{
	unsigned at = 0;
	const char *word = NULL;
	*ret_request = (struct stat_request){.proxy_id = -1, .kinds = -1, .object_id = -1};
	while ((word = command_argument(command, at))) {
		if (strcmp(word, "domain") == 0) {
			at += 2;
		} else if (word_parse(word, ret_request)) {
			at++;
		} else if (!ret_request->is_selected && command_argument(command, at + 2)) {
			selection_parse(command, at, ret_request);
			at += 3;
		} else {
			at++;
		}
	}
}

static bool object_is_wanted(const struct stat_object *object, const struct stat_request *request)
{
	if (request->proxy_id >= 0 && (unsigned long)request->proxy_id != object->proxy->id)
		return false;
	if (request->kinds >= 0 && !(request->kinds & (long)object->kind))
		return false;
	if (request->object_id >= 0 && (unsigned long)request->object_id != object->id)
		return false;
	if (object->kind != STAT_SERVER)
		return true;
	const char *status = stat_object_status(object);
	if (request->hides_maintenance && strncmp(status, "MAINT", 5) == 0)
		return false;
	return !request->only_up || strncmp(status, "UP", 2) == 0 || strcmp(status, "no check") == 0;
}

static void header_print(struct text_grow *out)
{
	text_grow_add(out, "# ");
	for (size_t i = 0; i < stat_columns_count; i++)
		text_grow_printf(out, "%s,", stat_columns[i].name);
	text_grow_add(out, "-,\n");
}

static void object_print_csv(struct command *command, const struct stat_object *object)
{
	uint64_t now_ms = loop_now_ms(command->admin->loop);
	struct stat_value value;
	for (size_t i = 0; i < stat_columns_count; i++) {
		stat_column_read(&stat_columns[i], object, now_ms, &value);
		stat_print_csv(&value, command->out);
		text_grow_add(command->out, ",");
	}
	text_grow_add(command->out, "-,\n");
}

static char kind_letter(enum stat_kind kind)
{
	switch (kind) {
	case STAT_FRONTEND:
		return 'F';
	case STAT_BACKEND:
		return 'B';
	case STAT_SERVER:
		return 'S';
	case STAT_LISTENER:
		return 'L';
	}
	return '?';
}

static const char *kind_name(enum stat_kind kind)
{
	switch (kind) {
	case STAT_FRONTEND:
		return "Frontend";
	case STAT_BACKEND:
		return "Backend";
	case STAT_SERVER:
		return "Server";
	case STAT_LISTENER:
		return "Listener";
	}
	return "Unknown";
}

static void object_print_typed(
	struct command *command, const struct stat_object *object, bool has_descriptions)
{
	uint64_t now_ms = loop_now_ms(command->admin->loop);
	struct stat_value value;
	for (size_t i = 0; i < stat_columns_count; i++) {
		const struct stat_column *column = &stat_columns[i];
		stat_column_read(column, object, now_ms, &value);
		if (value.type == STAT_NONE)
			continue;
		text_grow_printf(command->out, "%c.%u.%u.%zu.%s.1", kind_letter(object->kind),
			object->proxy->id, object->id, i, column->name);
		stat_print_typed(&value, column->tags, command->out);
		if (has_descriptions)
			text_grow_printf(command->out, ":\"%s\"", column->sentence);
		text_grow_add(command->out, "\n");
	}
}

static void object_print_json(struct command *command, const struct stat_object *object)
{
	uint64_t now_ms = loop_now_ms(command->admin->loop);
	struct stat_value value;
	const char *comma = "";
	text_grow_add(command->out, "[");
	for (size_t i = 0; i < stat_columns_count; i++) {
		const struct stat_column *column = &stat_columns[i];
		stat_column_read(column, object, now_ms, &value);
		if (value.type == STAT_NONE)
			continue;
		text_grow_printf(command->out,
			"%s{\"objType\":\"%s\",\"proxyId\":%u,\"id\":%u,\"field\":{\"pos\":%zu,\"name\":\"%s\"},",
			comma, kind_name(object->kind), object->proxy->id, object->id, i, column->name);
		stat_print_json(&value, column->tags, command->out);
		text_grow_add(command->out, "}");
		comma = ",";
	}
	text_grow_add(command->out, "]");
}

static void object_print(
	struct command *command, const struct stat_object *object, const struct stat_request *request)
{
	switch (request->style) {
	case STYLE_CSV:
		object_print_csv(command, object);
		return;
	case STYLE_TYPED:
		object_print_typed(command, object, request->has_descriptions);
		return;
	case STYLE_JSON:
		if (command->step++ > 1)
			text_grow_add(command->out, ",");
		object_print_json(command, object);
		return;
	}
}

/* cursor: the next object.  step: 0 before the head of the answer; for JSON it
 * counts on, so that commas stand between objects. */
COMMAND(show_stat)
{
	struct stat_request request;
	const struct stat_objects *objects = &command->admin->objects;
	request_parse(command, &request);
	if (request.is_proxy_unknown)
		return command_reply(command, "No such proxy.");
	if (command->step == 0) {
		command->step = 1;
		if (request.style == STYLE_CSV)
			header_print(command->out);
		if (request.style == STYLE_JSON)
			text_grow_add(command->out, "[");
	}
	while (command->cursor < objects->count) {
		const struct stat_object *object = &objects->rows[command->cursor++];
		if (object_is_wanted(object, &request))
			object_print(command, object, &request);
		if (command_chunk_is_full(command) && command->cursor < objects->count)
			return COMMAND_MORE;
	}
	if (request.style == STYLE_JSON)
		text_grow_add(command->out, "]\n");
	return COMMAND_DONE;
}

COMMAND(clear_counters)
{
	const char *which = command_argument(command, 0);
	struct admin *admin = command->admin;
	bool is_all = which && strcmp(which, "all") == 0;
	if (which && !is_all)
		return command_reply(command, "'clear counters' expects 'all' or nothing.");
	if (is_all && command->session->level < CONFIG_LEVEL_ADMIN)
		return command_reply(command, "Permission denied");
	for (size_t i = 0; i < admin->objects.count; i++)
		stat_object_clear(&admin->objects.rows[i], is_all);
	struct accept_limits *limits = &admin->instance->limits;
	__atomic_store_n(&limits->conn_max, stat_gauge(&limits->conn_cur), __ATOMIC_RELAXED);
	__atomic_store_n(&limits->rate_max, 0, __ATOMIC_RELAXED);
	return COMMAND_DONE;
}
