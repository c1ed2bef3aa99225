/* Printing of statistics values. */
#include "admin/stat_value.h"

#include <stdio.h>
#include <string.h>

#include "base/lookup.h"
#include "base/status.h"

static const struct lookup origins[] = {
	{"Metric", 'M'}, {"Status", 'S'}, {"Key", 'K'}, {"Config", 'C'}, {"Product", 'P'}};

static const struct lookup natures[] = {
	{"Age", 'A'},
	{"Avg", 'a'},
	{"Counter", 'C'},
	{"Duration", 'D'},
	{"Gauge", 'G'},
	{"Limit", 'L'},
	{"Max", 'M'},
	{"Min", 'm'},
	{"Name", 'N'},
	{"Output", 'O'},
	{"Rate", 'R'},
	{"Time", 'T'},
};

static const struct lookup scopes[] = {{"Cluster", 'C'}, {"Process", 'P'}, {"Service", 'S'}, {"System", 's'}};

static const char *const type_names[] = {
	[STAT_NONE] = "none",
	[STAT_U32] = "u32",
	[STAT_U64] = "u64",
	[STAT_S32] = "s32",
	[STAT_STRING] = "str",
};

void stat_set_string(struct stat_value *value, const char *string)
{
	value->type = STAT_STRING;
	snprintf(value->string, sizeof(value->string), "%s", string);
}

void stat_print_plain(const struct stat_value *value, struct text_grow *out)
{
	switch (value->type) {
	case STAT_NONE:
		return;
	case STAT_U32:
	case STAT_U64:
		text_grow_printf(out, "%llu", (unsigned long long)value->number);
		return;
	case STAT_S32:
		text_grow_printf(out, "%lld", (long long)(int64_t)value->number);
		return;
	case STAT_STRING:
		text_grow_add(out, value->string);
		return;
	}
}

void stat_print_csv(const struct stat_value *value, struct text_grow *out)
{
	if (value->type != STAT_STRING || !strpbrk(value->string, ",\"\n")) {
		stat_print_plain(value, out);
		return;
	}
	text_grow_add(out, "\"");
	for (const char *at = value->string; *at; at++)
		text_grow_add_bytes(out, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
	text_grow_add(out, "\"");
}

void stat_print_typed(const struct stat_value *value, const char *tags, struct text_grow *out)
{
	text_grow_printf(out, ":%s:%s:", tags, type_names[value->type]);
	stat_print_plain(value, out);
}

void stat_print_json_string(const char *string, struct text_grow *out)
{
	text_grow_add(out, "\"");
	for (const char *at = string; *at; at++) {
		unsigned char byte = (unsigned char)*at;
		if (byte < 32 || byte >= 127)
			text_grow_printf(out, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			text_grow_printf(out, "\\%c", byte);
		else
			text_grow_add_bytes(out, at, 1);
	}
	text_grow_add(out, "\"");
}

static const char *tag_name(const struct lookup *table, size_t rows, char letter)
{
	const char *name = lookup_name(table, rows, letter);
	return name ? name : "Unknown";
}

void stat_print_json(const struct stat_value *value, const char *tags, struct text_grow *out)
{
	text_grow_printf(out,
		"\"processNum\":1,\"tags\":{\"origin\":\"%s\",\"nature\":\"%s\",\"scope\":\"%s\"},",
		tag_name(origins, ARRAY_LENGTH(origins), tags[0]),
		tag_name(natures, ARRAY_LENGTH(natures), tags[1]),
		tag_name(scopes, ARRAY_LENGTH(scopes), tags[2]));
	text_grow_printf(out, "\"value\":{\"type\":\"%s\",\"value\":", type_names[value->type]);
	if (value->type == STAT_STRING)
		stat_print_json_string(value->string, out);
	else
		stat_print_plain(value, out);
	text_grow_add(out, "}");
}

void stat_print_metric(const struct stat_value *value, bool is_ms, struct text_grow *out)
{
	if (is_ms)
		text_grow_printf(out, "%.6f", (double)value->number / 1000);
	else
		stat_print_plain(value, out);
}
