/* Statistics as JSON, one jansson object per proxy part so that memory stays small. */
#include "admin/metrics_json.h"

#include <jansson.h>
#include <stdlib.h>

#include "admin/info_table.h"
#include "admin/stat_table.h"
#include "relay/engine.h"

static void value_set(json_t *object, const char *name, const struct stat_value *value)
{
	switch (value->type) {
	case STAT_NONE:
		return;
	case STAT_U32:
	case STAT_U64:
	case STAT_S32:
		json_object_set_new(object, name, json_integer((json_int_t)value->number));
		return;
	case STAT_STRING:
		json_object_set_new(object, name, json_string(value->string));
		return;
	}
}

static void object_dump(json_t *object, struct text_grow *out)
{
	char *text = json_dumps(object, JSON_COMPACT);
	text_grow_add(out, text ? text : "{}");
	free(text);
	json_decref(object);
}

static json_t *info_object(const struct admin *admin)
{
	json_t *object = json_object();
	for (size_t i = 0; i < info_fields_count; i++) {
		struct stat_value value = {.type = STAT_NONE};
		info_fields[i].get(admin, &value);
		value_set(object, info_fields[i].name, &value);
	}
	return object;
}

static json_t *engine_object(const struct instance *instance, unsigned engine)
{
	json_t *object = json_object();
	for (size_t metric = 0; metric < engine_metrics_count; metric++) {
		uint64_t sum = 0;
		for (unsigned i = 0; i < instance->workers_count; i++) {
			const char *counters =
				(const char *)&instance->workers[i].sessions.relay_worker.engines[engine];
			sum += counter_read(
				(const counter *)(const void *)(counters + engine_metrics[metric].offset));
		}
		json_object_set_new(object, engine_metrics[metric].name, json_integer((json_int_t)sum));
	}
	if (instance->workers_count > 0) {
		const char *refusal = instance->workers[0].sessions.relay_worker.engine_refusals[engine];
		json_object_set_new(object, "unavailable", refusal ? json_string(refusal) : json_null());
	}
	return object;
}

static json_t *relay_object(const struct instance *instance)
{
	json_t *object = json_object();
	for (unsigned engine = 0; relay_engines[engine]; engine++)
		json_object_set_new(object, relay_engines[engine]->name, engine_object(instance, engine));
	return object;
}

static json_t *stat_object_json(const struct admin *admin, const struct stat_object *stat)
{
	struct stat_value value;
	uint64_t now_ms = loop_now_ms(admin->loop);
	json_t *object = json_object();
	for (size_t i = 0; i < stat_columns_count; i++) {
		stat_column_read(&stat_columns[i], stat, now_ms, &value);
		value_set(object, stat_columns[i].name, &value);
	}
	return object;
}

bool metrics_json_fill(struct metrics_page *page, struct text_grow *out)
{
	const struct stat_objects *objects = &page->admin->objects;
	if (!page->is_begun) {
		page->is_begun = true;
		text_grow_add(out, "{\"info\":");
		object_dump(info_object(page->admin), out);
		text_grow_add(out, ",\"relay\":");
		object_dump(relay_object(page->admin->instance), out);
		text_grow_add(out, ",\"proxies\":[");
	}
	while (page->object < objects->count) {
		if (page->object > 0)
			text_grow_add(out, ",");
		object_dump(stat_object_json(page->admin, &objects->rows[page->object++]), out);
		if (out->len >= METRICS_CHUNK_BYTES)
			return true;
	}
	if (!page->is_ended)
		text_grow_add(out, "]}\n");
	page->is_ended = true;
	return false;
}
