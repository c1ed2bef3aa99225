/* Writes the metrics pages.  A part is a table, a row one metric of it; lines of
 * one metric stay together, as the format demands. */
#include "admin/metrics_page.h"
#include "admin/relay_reasons.h"

#include <ctype.h>
#include <string.h>

#include "admin/info_table.h"
#include "admin/metrics_json.h"
#include "admin/stat_table.h"
#include "check/check.h"
#include "check/check_status.h"
#include "relay/engine.h"

#define OURS "spliced_"

const struct engine_metric engine_metrics[] = {
	{"directions", false, offsetof(struct relay_engine_counters, directions_now),
		"Directions of connections that the engine carries now."},
	{"directions_total", true, offsetof(struct relay_engine_counters, directions_ever),
		"Directions that the engine began to carry."},
	{"bytes_total", true, offsetof(struct relay_engine_counters, bytes),
		"Bytes that the engine handed on."},
	{"moves_total", true, offsetof(struct relay_engine_counters, moves_in),
		"Directions that moved to the engine from another one."},
	{"refusals_total", true, offsetof(struct relay_engine_counters, refusals),
		"Directions that were to use the engine and could not."},
	{"packets_total", true, offsetof(struct relay_engine_counters, packets),
		"Packets forwarded by an engine that sees packets."},
	{"retransmits_total", true, offsetof(struct relay_engine_counters, retransmits),
		"Segments among them that brought nothing new."},
};
const size_t engine_metrics_count = ARRAY_LENGTH(engine_metrics);

static const struct {
	enum stat_kind kind;
	const char *name;
} kinds[] = {{STAT_FRONTEND, "frontend"}, {STAT_LISTENER, "listener"}, {STAT_BACKEND, "backend"},
	{STAT_SERVER, "server"}};

static const char *const frontend_states[] = {"DOWN", "UP", NULL};
static const char *const listener_states[] = {"WAITING", "OPEN", "FULL", NULL};
static const char *const server_states[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB", NULL};
static const char *const check_states[] = {"HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT",
	"L6RSP", "L7TOUT", "L7RSP", "L7OK", "L7OKC", "L7STS", NULL};

static const char *prefix_of(const struct admin *admin)
{
	return admin->global->has_haproxy_names ? "haproxy_" : OURS;
}

static bool is_counter(const char *tags)
{
	return tags[1] == 'C';
}

static void label_print(const char *name, const char *value, struct text_grow *out)
{
	text_grow_printf(out, "%s=\"", name);
	for (const char *at = value; *at; at++) {
		if (*at == '\\' || *at == '"')
			text_grow_add(out, "\\");
		text_grow_add_bytes(out, *at == '\n' ? "\\n" : at, *at == '\n' ? 2 : 1);
	}
	text_grow_add(out, "\"");
}

static void head_print(
	const char *prefix, const char *name, const char *type, const char *sentence, struct text_grow *out)
{
	text_grow_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, sentence, prefix, name, type);
}

static void labels_print(const struct stat_object *object, struct text_grow *out)
{
	label_print("proxy", object->proxy->name, out);
	if (object->kind != STAT_SERVER && object->kind != STAT_LISTENER)
		return;
	text_grow_add(out, ",");
	label_print(object->kind == STAT_SERVER ? "server" : "listener", object->name, out);
}

static const char *const *states_of(enum stat_kind kind)
{
	switch (kind) {
	case STAT_FRONTEND:
	case STAT_BACKEND:
		return frontend_states;
	case STAT_LISTENER:
		return listener_states;
	case STAT_SERVER:
		return server_states;
	}
	return frontend_states;
}

/* The state a status is counted under on the metrics page. */
static const char *state_of(const struct stat_object *object)
{
	const char *status = stat_object_status(object);
	switch (object->kind) {
	case STAT_FRONTEND:
		return strcmp(status, "STOP") == 0 ? "DOWN" : "UP";
	case STAT_LISTENER:
		return strcmp(status, "OPEN") == 0 || strcmp(status, "FULL") == 0 ? status : "WAITING";
	case STAT_BACKEND:
		return status;
	case STAT_SERVER:
		return strcmp(status, "no check") == 0 ? "UP" : status;
	}
	return status;
}

/* One line for each state there is: 1 for the one it is in. */
struct state_set {
	const char *const *known;
	const char *now;
};

static void states_print(const char *name, const struct stat_object *object, const struct state_set *states,
	struct text_grow *out)
{
	for (const char *const *known = states->known; *known; known++) {
		text_grow_printf(out, "%s{", name);
		labels_print(object, out);
		text_grow_printf(out, ",state=\"%s\"} %d\n", *known, strcmp(states->now, *known) == 0);
	}
}

/* The last result counts, whether or not another check is under way. */
static void status_print(const char *name, const struct stat_object *object, const struct stat_value *value,
	struct text_grow *out)
{
	struct state_set states = {states_of(object->kind), state_of(object)};
	if (strstr(name, "check_status"))
		states = (struct state_set){
			check_states, value->string[0] == '*' ? value->string + 2 : value->string};
	states_print(name, object, &states, out);
}

/* The head of a metric stands before its first line; without a line there is none. */
static void head_print_once(struct metrics_page *page, const char *metric, const struct stat_column *column,
	struct text_grow *out)
{
	if (page->is_begun)
		return;
	page->is_begun = true;
	head_print(prefix_of(page->admin), metric, is_counter(column->tags) ? "counter" : "gauge",
		column->sentence, out);
}

static void object_print(struct metrics_page *page, const char *metric, const struct stat_column *column,
	struct text_grow *out)
{
	struct stat_value value;
	const struct stat_object *object = &page->admin->objects.rows[page->object];
	const char *prefix = prefix_of(page->admin);
	stat_column_read(column, object, loop_now_ms(page->admin->loop), &value);
	if (value.type == STAT_NONE)
		return;
	head_print_once(page, metric, column, out);
	if (value.type == STAT_STRING) {
		char name[128];
		struct text text;
		text_init(&text, name, sizeof(name));
		text_printf(&text, "%s%s", prefix, metric);
		status_print(name, object, &value, out);
		return;
	}
	text_grow_printf(out, "%s%s{", prefix, metric);
	labels_print(object, out);
	text_grow_add(out, "} ");
	stat_print_metric(&value, column->is_ms, out);
	text_grow_add(out, "\n");
}

/* One column for one kind: all its lines, as far as the chunk has room. */
static bool column_print(
	struct metrics_page *page, enum stat_kind kind, const char *kind_name, struct text_grow *out)
{
	char metric[128];
	struct text text;
	const struct stat_column *column = &stat_columns[page->row];
	if (!column->metric || !(column->kinds & kind))
		return true;
	text_init(&text, metric, sizeof(metric));
	text_printf(&text, "%s_%s", kind_name, column->metric);
	while (page->object < page->admin->objects.count) {
		if (page->admin->objects.rows[page->object].kind == kind)
			object_print(page, metric, column, out);
		page->object++;
		if (out->len >= METRICS_CHUNK_BYTES)
			break;
	}
	return page->object >= page->admin->objects.count;
}

static unsigned servers_in_state(const struct backend *backend, const char *state)
{
	unsigned count = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const char *now = server_state_name(&backend->servers[i]);
		now = strcmp(now, "no check") == 0 ? "UP" : now;
		count += strncmp(now, state, strlen(state)) == 0;
	}
	return count;
}

/* How many servers of each backend are in each state. */
static bool aggregate_print(struct metrics_page *page, struct text_grow *out)
{
	const char *prefix = prefix_of(page->admin);
	if (page->object == 0)
		head_print(prefix, "backend_agg_server_status", "gauge",
			"Servers of the backend, by their status.", out);
	while (page->object < page->admin->objects.count && out->len < METRICS_CHUNK_BYTES) {
		const struct stat_object *object = &page->admin->objects.rows[page->object++];
		for (const char *const *state = server_states; object->kind == STAT_BACKEND && *state;
			state++) {
			text_grow_printf(out, "%sbackend_agg_server_status{", prefix);
			labels_print(object, out);
			text_grow_printf(out, ",state=\"%s\"} %u\n", *state,
				servers_in_state(object->backend, *state));
		}
	}
	return page->object >= page->admin->objects.count;
}

static unsigned servers_with_result(const struct backend *backend, const char *result)
{
	unsigned count = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct check_view view;
		count += check_view(&backend->servers[i], CHECK_HEALTH, &view) &&
			strcmp(check_status_row(view.status)->name, result) == 0;
	}
	return count;
}

/* And how many's last checks had each result. */
static bool results_print(struct metrics_page *page, struct text_grow *out)
{
	const char *prefix = prefix_of(page->admin);
	if (page->object == 0)
		head_print(prefix, "backend_agg_check_status", "gauge",
			"Servers of the backend, by the result of their last health check.", out);
	while (page->object < page->admin->objects.count && out->len < METRICS_CHUNK_BYTES) {
		const struct stat_object *object = &page->admin->objects.rows[page->object++];
		for (const char *const *result = check_states; object->kind == STAT_BACKEND && *result;
			result++) {
			text_grow_printf(out, "%sbackend_agg_check_status{", prefix);
			labels_print(object, out);
			text_grow_printf(out, ",state=\"%s\"} %u\n", *result,
				servers_with_result(object->backend, *result));
		}
	}
	return page->object >= page->admin->objects.count;
}

static void info_print(const struct metrics_page *page, struct text_grow *out)
{
	char metric[128];
	struct text text;
	struct stat_value value = {.type = STAT_NONE};
	const struct info_field *field = &info_fields[page->row];
	const char *prefix = field->is_ours ? OURS : prefix_of(page->admin);
	if (!field->metric)
		return;
	field->get(page->admin, &value);
	text_init(&text, metric, sizeof(metric));
	text_printf(&text, "process_%s", field->metric);
	head_print(prefix, metric, is_counter(field->tags) ? "counter" : "gauge", field->sentence, out);
	text_grow_printf(out, "%s%s ", prefix, metric);
	stat_print_plain(&value, out);
	text_grow_add(out, "\n");
}

static void engine_print(const struct metrics_page *page, struct text_grow *out)
{
	char name[64];
	struct text text;
	const struct engine_metric *metric = &engine_metrics[page->row];
	const struct instance *instance = page->admin->instance;
	text_init(&text, name, sizeof(name));
	text_printf(&text, "relay_%s", metric->name);
	head_print(OURS, name, metric->is_counter ? "counter" : "gauge", metric->sentence, out);
	for (unsigned engine = 0; relay_engines[engine]; engine++) {
		uint64_t sum = 0;
		for (unsigned i = 0; i < instance->workers_count; i++) {
			const struct relay_engine_counters *counters =
				&instance->workers[i].sessions.relay_worker.engines[engine];
			sum += counter_read(
				(const counter *)(const void *)((const char *)counters + metric->offset));
		}
		text_grow_printf(out, "%s%s{engine=\"%s\"} %llu\n", OURS, name, relay_engines[engine]->name,
			(unsigned long long)sum);
	}
}

static void engine_available_print(const struct metrics_page *page, struct text_grow *out)
{
	const struct instance *instance = page->admin->instance;
	head_print(OURS, "relay_available", "gauge", "1 when this kernel can run the engine.", out);
	for (unsigned engine = 0; relay_engines[engine] && instance->workers_count > 0; engine++) {
		bool is_refused = instance->workers[0].sessions.relay_worker.engine_refusals[engine];
		text_grow_printf(out, "%srelay_available{engine=\"%s\"} %d\n", OURS,
			relay_engines[engine]->name, !is_refused);
	}
}

static void reasons_print(
	const struct metrics_page *page, const struct relay_reasons *reasons, struct text_grow *out)
{
	const struct instance *instance = page->admin->instance;
	head_print(OURS, reasons->metric, "counter", reasons->sentence, out);
	for (unsigned reason = reasons->first; reason < reasons->end; reason++)
		text_grow_printf(out, "%s%s{%s=\"%s\"} %llu\n", OURS, reasons->metric, reasons->label,
			reasons->name(reason),
			(unsigned long long)relay_reasons_sum(instance, reasons, reason));
}

static void moves_print(const struct metrics_page *page, struct text_grow *out)
{
	const struct instance *instance = page->admin->instance;
	head_print(OURS, "relay_moves_by_reason_total", "counter",
		"Directions that moved to the engine from another one, by why.", out);
	for (unsigned engine = 0; relay_engines[engine]; engine++)
		for (unsigned reason = MOVE_NO_REASON + 1; reason < MOVE_REASONS; reason++)
			text_grow_printf(out,
				"%srelay_moves_by_reason_total{engine=\"%s\",reason=\"%s\"} %llu\n", OURS,
				relay_engines[engine]->name, move_reason_name(reason),
				(unsigned long long)relay_moves_sum(instance, engine, reason));
}

static void closes_print(const struct metrics_page *page, struct text_grow *out)
{
	const struct instance *instance = page->admin->instance;
	head_print(OURS, "sessions_closed_total", "counter", "Sessions that ended, by why.", out);
	for (enum close_reason reason = CLOSE_NONE + 1; reason < CLOSE_REASONS; reason++) {
		uint64_t sum = 0;
		for (unsigned i = 0; i < instance->workers_count; i++)
			sum += counter_read(&instance->workers[i].sessions.closes[reason]);
		text_grow_printf(out, "%ssessions_closed_total{reason=\"", OURS);
		for (const char *at = close_reason_row(reason)->label; *at; at++)
			text_grow_printf(out, "%c", tolower((unsigned char)*at));
		text_grow_printf(out, "\"} %llu\n", (unsigned long long)sum);
	}
}

static void build_print(const struct metrics_page *page, struct text_grow *out)
{
	const char *prefix = prefix_of(page->admin);
	head_print(prefix, "process_build_info", "gauge", "Always 1; the label is the version.", out);
	text_grow_printf(out, "%sprocess_build_info{version=\"%s\"} 1\n", prefix, SPLICED_VERSION);
}

enum metrics_part {
	PART_INFO,
	PART_BUILD,
	PART_ENGINES,
	PART_AVAILABLE,
	PART_WIRE_REFUSALS,
	PART_CLOSES,
	PART_AGGREGATE,
	PART_RESULTS,
	PART_KINDS, /* as many parts as there are kinds */
};

static size_t part_rows(unsigned part)
{
	switch (part) {
	case PART_INFO:
		return info_fields_count;
	case PART_ENGINES:
		return engine_metrics_count;
	case PART_BUILD:
	case PART_AVAILABLE:
	case PART_WIRE_REFUSALS:
	case PART_CLOSES:
	case PART_AGGREGATE:
	case PART_RESULTS:
		return 1;
	}
	return stat_columns_count;
}

/* Prints the row the page stands at.  Returns false when it is to be continued. */
static bool row_print(struct metrics_page *page, struct text_grow *out)
{
	switch (page->part) {
	case PART_INFO:
		info_print(page, out);
		return true;
	case PART_BUILD:
		build_print(page, out);
		return true;
	case PART_ENGINES:
		engine_print(page, out);
		return true;
	case PART_AVAILABLE:
		engine_available_print(page, out);
		return true;
	case PART_WIRE_REFUSALS:
		moves_print(page, out);
		for (size_t i = 0; i < relay_reasons_count; i++)
			reasons_print(page, &relay_reasons[i], out);
		return true;
	case PART_CLOSES:
		closes_print(page, out);
		return true;
	case PART_AGGREGATE:
		return aggregate_print(page, out);
	case PART_RESULTS:
		return results_print(page, out);
	}
	unsigned kind = page->part - PART_KINDS;
	return column_print(page, kinds[kind].kind, kinds[kind].name, out);
}

static bool metrics_fill(struct metrics_page *page, struct text_grow *out)
{
	while (page->part < PART_KINDS + ARRAY_LENGTH(kinds)) {
		if (page->row >= part_rows(page->part)) {
			page->part++;
			page->row = 0;
			continue;
		}
		if (row_print(page, out)) {
			page->row++;
			page->object = 0;
			page->is_begun = false;
		}
		if (out->len >= METRICS_CHUNK_BYTES)
			return true;
	}
	return false;
}

static const char index_page[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>spliced</title></head>\n"
	"<body><h1>spliced " SPLICED_VERSION "</h1>\n"
	"<ul>\n"
	"<li><a href=\"/metrics\">/metrics</a>: everything that is counted, as Prometheus reads it</li>\n"
	"<li><a href=\"/stats.json\">/stats.json</a>: the process and its proxies as JSON</li>\n"
	"</ul></body></html>\n";

bool metrics_page_fill(struct metrics_page *page, struct text_grow *out)
{
	switch (page->kind) {
	case PAGE_METRICS:
		return metrics_fill(page, out);
	case PAGE_STATS_JSON:
		return metrics_json_fill(page, out);
	case PAGE_INDEX:
		text_grow_add(out, index_page);
		return false;
	}
	return false;
}

const char *metrics_page_type(enum metrics_page_kind kind)
{
	switch (kind) {
	case PAGE_METRICS:
		return "text/plain; version=0.0.4; charset=utf-8";
	case PAGE_STATS_JSON:
		return "application/json";
	case PAGE_INDEX:
		return "text/html; charset=utf-8";
	}
	return "text/plain";
}
