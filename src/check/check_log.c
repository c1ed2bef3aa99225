/* What the log says of checks: servers that go down and come back, with the reason,
 * and single results where that is asked for. */
#include "base/log.h"
#include "base/text.h"
#include "check/check_internal.h"
#include "check/check_status.h"

enum { LINE_BYTES = 768 };

static void reason_print(struct text *text, const struct probe_result *result)
{
	const struct check_status_row *row = check_status_row(result->status);
	/* Nothing was checked. */
	if (result->status == CHECK_UNKNOWN) {
		text_printf(text, ", reason: %s", result->text);
		return;
	}
	text_printf(text, ", reason: %s", row->sentence);
	if (result->code != 0 && row->has_code)
		text_printf(text, ", code: %u", result->code);
	if (result->text[0] != '\0')
		text_printf(text, ", info: \"%s\"", result->text);
	if (result->status != CHECK_OBSERVED)
		text_printf(text, ", check duration: %ums", result->duration_ms);
}

/* How much is left of the backend. */
static void rest_print(struct text *text, const struct server *server, bool is_up)
{
	const struct backend *backend = server->backend;
	unsigned active = backend_usable_count(backend, false), backups = backend_usable_count(backend, true);
	text_printf(text, ". %u active and %u backup servers %s.%s", active, backups,
		is_up ? "online" : "left", active == 0 && backups > 0 ? " Running on backup." : "");
	if (!is_up)
		text_printf(text, " %u sessions active, %u remaining in queue.",
			__atomic_load_n(&server->conn_cur, __ATOMIC_RELAXED),
			__atomic_load_n(&server->queue_cur, __ATOMIC_RELAXED));
}

void check_log_change(const struct server *server, const struct probe_result *cause)
{
	char line[LINE_BYTES];
	struct text text;
	bool is_up = __atomic_load_n(&server->is_up, __ATOMIC_RELAXED);
	bool is_stopping = __atomic_load_n(&server->is_stopping, __ATOMIC_RELAXED);
	text_init(&text, line, sizeof(line));
	text_printf(&text, "%s %s/%s is %s", server->config->is_backup ? "Backup Server" : "Server",
		server->backend->config->name, server->config->name,
		!is_up                ? "DOWN"
			: is_stopping ? "stopping"
				      : "UP");
	reason_print(&text, cause);
	rest_print(&text, server, is_up && !is_stopping);
	log_event(is_up ? LOG_LEVEL_NOTICE : LOG_LEVEL_ALERT, "%s", line);
}

static const char *result_name(enum check_result result)
{
	switch (result) {
	case CHECK_RESULT_UNKNOWN:
	case CHECK_RESULT_NEUTRAL:
		break;
	case CHECK_RESULT_FAILED:
		return "failed";
	case CHECK_RESULT_PASSED:
		return "succeeded";
	case CHECK_RESULT_CONDITIONAL:
		return "conditionally succeeded";
	}
	return "done";
}

void check_log_result(const struct check *check, const struct check_run *run)
{
	char line[LINE_BYTES];
	struct text text;
	unsigned done, of;
	const struct server *server = check->server;
	health_progress(&run->health, &done, &of);
	text_init(&text, line, sizeof(line));
	text_printf(&text, "%s check for %sserver %s/%s %s", run == &check->agent ? "Agent" : "Health",
		server->config->is_backup ? "backup " : "", server->backend->config->name,
		server->config->name, result_name(check_status_row(run->last.status)->result));
	reason_print(&text, &run->last);
	text_printf(&text, ", status: %u/%u %s.", done, of, health_is_up(&run->health) ? "UP" : "DOWN");
	log_event(LOG_LEVEL_WARNING, "%s", line);
}
