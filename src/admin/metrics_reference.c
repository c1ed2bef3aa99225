/* Writes docs/metrics.md from the tables that the metrics page is made of. */
#include <ctype.h>
#include <stdio.h>

#include "admin/info_table.h"
#include "admin/metrics_page.h"
#include "admin/relay_reasons.h"
#include "admin/stat_table.h"
#include "session/close_reason.h"

static const struct {
	enum stat_kind kind;
	const char *name, *title, *labels;
} kinds[] = {
	{STAT_FRONTEND, "frontend", "Frontends", "`proxy`"},
	{STAT_LISTENER, "listener", "Listeners (with `option socket-stats`)", "`proxy`, `listener`"},
	{STAT_BACKEND, "backend", "Backends", "`proxy`"},
	{STAT_SERVER, "server", "Servers", "`proxy`, `server`"},
};

static const char head[] =
	"# Metrics\n"
	"\n"
	"This page is generated from the tables in `src/admin/`; a test fails when it is stale.\n"
	"\n"
	"`metrics bind ADDR:PORT` in `global` serves them at `/metrics` in Prometheus' text format. Their names begin\n"
	"with `spliced_`; with `metrics bind ADDR:PORT haproxy-names` those that HAProxy's exporter has too begin with\n"
	"`haproxy_` instead, so that existing boards work. Times are in seconds. A value that does not apply is left out.\n"
	"Mean times are means since the start or the last `clear counters all`.\n";

static const char *type_of(const char *tags)
{
	return tags[1] == 'C' ? "counter" : "gauge";
}

static void table_head(FILE *out, const char *title, const char *labels)
{
	fprintf(out,
		"\n## %s\n\nLabels: %s.\n\n| metric | type | `show stat` | meaning |\n|---|---|---|---|\n",
		title, labels);
}

static void kind_print(FILE *out, size_t kind)
{
	table_head(out, kinds[kind].title, kinds[kind].labels);
	for (size_t i = 0; i < stat_columns_count; i++) {
		const struct stat_column *column = &stat_columns[i];
		if (!column->metric || !(column->kinds & kinds[kind].kind))
			continue;
		fprintf(out, "| `%s_%s` | %s | `%s` | %s |\n", kinds[kind].name, column->metric,
			type_of(column->tags), column->name, column->sentence);
	}
	if (kinds[kind].kind == STAT_BACKEND)
		fprintf(out,
			"| `backend_agg_server_status` | gauge | – | Servers of the backend, by their status "
			"(label `state`). |\n"
			"| `backend_agg_check_status` | gauge | – | Servers of the backend, by the result of their "
			"last health check (label `state`). |\n");
}

static void process_print(FILE *out)
{
	fprintf(out,
		"\n## Process\n\nNo labels.\n\n| metric | type | `show info` | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < info_fields_count; i++) {
		const struct info_field *field = &info_fields[i];
		if (field->metric)
			fprintf(out, "| `process_%s` | %s | `%s` | %s |\n", field->metric,
				type_of(field->tags), field->name, field->sentence);
	}
	fprintf(out,
		"| `process_build_info` | gauge | `Version` | Always 1; the label `version` says the version. |\n");
}

static void relay_print(FILE *out)
{
	fprintf(out,
		"\n## Engines\n\nLabel: `engine`. The prefix is always `spliced_`.\n\n"
		"| metric | type | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < engine_metrics_count; i++)
		fprintf(out, "| `relay_%s` | %s | %s |\n", engine_metrics[i].name,
			engine_metrics[i].is_counter ? "counter" : "gauge", engine_metrics[i].sentence);
	fprintf(out, "| `relay_available` | gauge | 1 when this kernel can run the engine. |\n");
}

static void reasons_print(const struct relay_reasons *reasons, FILE *out)
{
	fprintf(out,
		"\n`spliced_%s`, a counter with the label `%s`. %s\n\n| %s | for good | meaning |\n|---|---|---|\n",
		reasons->metric, reasons->label, reasons->sentence, reasons->label);
	for (unsigned reason = reasons->first; reason < reasons->end; reason++)
		fprintf(out, "| `%s` | %s | %s |\n", reasons->name(reason),
			reasons->is_final != NULL && reasons->is_final(reason) ? "yes" : "",
			reasons->words(reason));
}

static void moves_print(FILE *out)
{
	fprintf(out,
		"\n## Why directions move\n\n`spliced_relay_moves_by_reason_total`, a counter with the labels `engine`, the one moved to, and\n"
		"`reason`:\n\n| reason | meaning |\n|---|---|\n");
	for (unsigned reason = MOVE_NO_REASON + 1; reason < MOVE_REASONS; reason++)
		fprintf(out, "| `%s` | %s |\n", move_reason_name(reason), move_reason_words(reason));
}

static void closes_print(FILE *out)
{
	fprintf(out,
		"\n## Why sessions end\n\n`spliced_sessions_closed_total`, a counter with the label `reason`:\n\n"
		"| reason | meaning |\n|---|---|\n");
	for (enum close_reason reason = CLOSE_NONE + 1; reason < CLOSE_REASONS; reason++) {
		const struct close_reason_row *row = close_reason_row(reason);
		fprintf(out, "| `");
		for (const char *at = row->label; *at; at++)
			fputc(tolower((unsigned char)*at), out);
		fprintf(out, "` | %s |\n", row->words);
	}
}

static void columns_print(FILE *out)
{
	fprintf(out,
		"\n## Columns of `show stat`\n\nIn HAProxy's order. F frontend, B backend, S server, L listener; "
		"columns without a letter\nstay empty and exist for their place only.\n\n"
		"| | column | for | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < stat_columns_count; i++) {
		const struct stat_column *column = &stat_columns[i];
		unsigned has = column->source == STAT_FROM_NOTHING ? 0 : column->kinds;
		fprintf(out, "| %zu | `%s` | %s%s%s%s | %s |\n", i, column->name,
			has & STAT_LISTENER ? "L" : "", has & STAT_FRONTEND ? "F" : "",
			has & STAT_BACKEND ? "B" : "", has & STAT_SERVER ? "S" : "", column->sentence);
	}
}

void admin_metrics_reference_print(FILE *out)
{
	fputs(head, out);
	process_print(out);
	relay_print(out);
	moves_print(out);
	fprintf(out,
		"\n## Why engines in the kernel do not carry\n\nWhat is for good is not tried again for the same connection.\n");
	for (size_t i = 0; i < relay_reasons_count; i++)
		reasons_print(&relay_reasons[i], out);
	closes_print(out);
	for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++)
		kind_print(out, kind);
	columns_print(out);
}
