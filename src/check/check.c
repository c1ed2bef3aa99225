/* One server's checks: when the next one is due, and what a result does. */
#include "check/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"
#include "check/check_internal.h"
#include "check/check_status.h"

/* --- when --- */

static uint32_t or_inter(uint32_t interval_ms, uint32_t inter_ms)
{
	return interval_ms != 0 ? interval_ms : inter_ms;
}

static uint32_t interval_ms(const struct check *check, const struct check_run *run)
{
	const struct config_check *config = &check->server->config->check;
	if (run == &check->agent)
		return check->server->config->agent.inter_ms;
	if (health_is_changing(&run->health) || run->last.status == CHECK_INITIAL)
		return or_inter(config->fastinter_ms, config->inter_ms);
	return health_is_up(&run->health) ? config->inter_ms
					  : or_inter(config->downinter_ms, config->inter_ms);
}

/* Longer or shorter by chance, by spread-checks percent at most. */
static uint32_t spread(struct checks *checks, uint32_t interval)
{
	uint64_t part = (uint64_t)interval * checks->global->spread_checks_percent / 100;
	if (part == 0)
		return interval;
	uint64_t draw = hash_mix(++checks->chance) % (2 * part + 1);
	return (uint32_t)(interval - part + draw);
}

void check_schedule(struct check_run *run, uint32_t delay_ms)
{
	struct loop *loop = run->check->checks->loop;
	loop_timer_set(loop, &run->timer, loop_now_ms(loop) + delay_ms);
}

static void schedule_next(struct check_run *run)
{
	check_schedule(run, spread(run->check->checks, interval_ms(run->check, run)));
}

/* Brings the next run forward; does not put it off. */
static void schedule_by(struct check_run *run, uint32_t delay_ms)
{
	struct loop *loop = run->check->checks->loop;
	uint64_t due_ms = loop_now_ms(loop) + delay_ms;
	if (!loop_timer_is_set(&run->timer) || run->timer.expires_ms <= due_ms)
		return;
	loop_timer_set(loop, &run->timer, due_ms);
}

/* --- what a result does --- */

void check_settle(struct check *check, const struct probe_result *cause)
{
	struct server *server = check->server;
	bool is_up = health_is_up(&check->run.health) && health_is_up(&check->agent.health);
	bool is_conditional = check_status_row(check->run.last.status)->result == CHECK_RESULT_CONDITIONAL;
	bool is_stopping = is_up && (is_conditional || check->is_forced_stopping);
	bool was_up = server->is_up, was_stopping = server->is_stopping;
	if (is_up == check->is_up && is_stopping == check->is_stopping)
		return;
	check->is_up = is_up;
	check->is_stopping = is_stopping;
	if (is_stopping)
		server_set_stopping(server);
	else
		server_set_up(server, is_up);
	if (server->is_up != was_up || server->is_stopping != was_stopping)
		check_log_change(server, cause);
}

/* Counts a result of a health check. */
static void result_apply(struct check *check, const struct probe_result *result)
{
	struct check_run *run = &check->run;
	enum check_status before = run->last.status;
	bool has_changed = false;
	run->last = *result;
	check->is_forced_stopping = false;
	switch (check_status_row(result->status)->result) {
	case CHECK_RESULT_FAILED:
		has_changed = health_fail(&run->health);
		run->failed += has_changed;
		break;
	case CHECK_RESULT_PASSED:
	case CHECK_RESULT_CONDITIONAL:
		has_changed = health_pass(&run->health);
		__atomic_store_n(&check->server->errors_in_row, 0, __ATOMIC_RELAXED);
		break;
	case CHECK_RESULT_UNKNOWN:
	case CHECK_RESULT_NEUTRAL:
		break;
	}
	if (check->server->backend->config->check.has_log && (has_changed || before != result->status))
		check_log_result(check, run);
	check_settle(check, result);
}

static bool is_in_maintenance(const struct check *check)
{
	return check->server->admin == SERVER_MAINT;
}

/* http-check disable-on-404: for the time being, not for good. */
static void condition_apply(const struct check *check, struct probe_result *result)
{
	enum { NOT_FOUND = 404 };
	bool is_wanted = check->server->backend->config->check.has_disable_on_404;
	if (is_wanted && result->status == CHECK_L7_WRONG && result->code == NOT_FOUND &&
		health_is_up(&check->run.health))
		result->status = CHECK_L7_CONDITIONAL;
}

static void on_health(struct probe *probe)
{
	struct check_run *run = container_of(probe, struct check_run, probe);
	struct check *check = run->check;
	/* What was under way when it was switched off, or ejected, says nothing. */
	if (check->ejected_until_ms != 0)
		return;
	if (run->is_enabled && !is_in_maintenance(check)) {
		condition_apply(check, &probe->result);
		result_apply(check, &probe->result);
	}
	schedule_next(run);
}

static void on_agent(struct probe *probe)
{
	struct check_run *run = container_of(probe, struct check_run, probe);
	if (run->is_enabled)
		agent_apply(run->check, probe);
	schedule_next(run);
}

static void begin_anew(struct check *check, const char *why);

/* A check may still be under way that began before; it schedules the next one then. */
static void return_from_ejection(struct check *check)
{
	check_eject_end(check);
	begin_anew(check, "its ejection is over");
}

/* Agents are asked in maintenance too, for they may end it. */
static void on_due(struct loop_timer *timer)
{
	struct check_run *run = container_of(timer, struct check_run, timer);
	struct check *check = run->check;
	bool is_resting = run == &check->run && is_in_maintenance(check);
	if (run == &check->run && check->ejected_until_ms != 0) {
		return_from_ejection(check);
		return;
	}
	if (!run->is_enabled || is_resting)
		schedule_next(run);
	else {
		check_target_follow(run);
		probe_start(&run->probe, &run->target);
	}
}

/* --- what sessions have met --- */

/* As the last of the failures that it takes. */
static void mark_down(struct check *check, const struct probe_result *result)
{
	health_set(&check->run.health, true);
	while (check->run.health.value > check->run.health.rise)
		health_fail(&check->run.health);
	result_apply(check, result);
}

static void observed_apply(struct check *check)
{
	const struct config_check *config = &check->server->config->check;
	struct probe_result result = {.status = CHECK_OBSERVED};
	struct text text;
	text_init(&text, result.text, sizeof(result.text));
	text_printf(&text, "%u connections in a row could not be made", config->errors_max);
	switch (config->on_error) {
	case CONFIG_ON_ERROR_FASTINTER:
		break;
	case CONFIG_ON_ERROR_SUDDEN_DEATH:
		health_weaken(&check->run.health);
		result_apply(check, &result);
		break;
	case CONFIG_ON_ERROR_FAIL_CHECK:
		result_apply(check, &result);
		break;
	case CONFIG_ON_ERROR_MARK_DOWN:
		mark_down(check, &result);
		break;
	case CONFIG_ON_ERROR_EJECT:
		if (!check_eject(check, &result))
			break;
		mark_down(check, &result);
		check_schedule(&check->run, (uint32_t)check->ejected_ms);
		return;
	}
	schedule_by(&check->run, or_inter(config->fastinter_ms, config->inter_ms));
}

static void on_observed(struct loop_message *message)
{
	struct check *check = container_of(message, struct check, observed);
	__atomic_store_n(&check->is_posted, false, __ATOMIC_RELEASE);
	if (check->run.is_enabled && !is_in_maintenance(check) && health_is_up(&check->run.health))
		observed_apply(check);
}

/* Any thread. */
void check_on_server_errors(struct server *server)
{
	struct check *check = server->check;
	if (check == NULL || __atomic_exchange_n(&check->is_posted, true, __ATOMIC_ACQ_REL))
		return;
	loop_post(check->checks->loop, &check->observed);
}

void check_prepare(struct check *check)
{
	struct loop *loop = check->checks->loop;
	check->observed.run = on_observed;
	probe_init(&check->run.probe, loop, on_health);
	probe_init(&check->agent.probe, loop, on_agent);
	loop_timer_init(&check->run.timer, on_due);
	loop_timer_init(&check->agent.timer, on_due);
}

void check_stop(struct check_run *run)
{
	loop_timer_cancel(run->check->checks->loop, &run->timer);
	probe_cancel(&run->probe);
}

/* --- the operator --- */

/* As at the start: up, and looked at soon. */
static void begin_anew(struct check *check, const char *why)
{
	struct check_run *run = &check->run;
	struct probe_result cause = {.status = CHECK_UNKNOWN};
	struct text text;
	text_init(&text, cause.text, sizeof(cause.text));
	text_add(&text, why);
	check_eject_end(check);
	health_init(&run->health, run->health.rise, run->health.fall);
	run->last = (struct probe_result){.status = CHECK_INITIAL};
	check_settle(check, &cause);
	if (run->is_enabled && !probe_is_running(&run->probe))
		check_schedule(run, 0);
}

void check_set_admin(struct server *server, enum server_admin admin)
{
	bool was_away = server->admin == SERVER_MAINT;
	server_set_admin(server, admin);
	if (was_away && admin != SERVER_MAINT && server->check != NULL && server->check->run.is_configured)
		begin_anew(server->check, "its maintenance is over");
}

void check_force_health(struct server *server, enum check_forced forced)
{
	const struct probe_result cause = {.status = CHECK_UNKNOWN, .text = "set at the runtime socket"};
	struct check *check = server->check;
	if (check != NULL) {
		if (check->ejected_until_ms != 0)
			begin_anew(check, cause.text);
		health_set(&check->run.health, forced != CHECK_FORCED_DOWN);
		check->is_forced_stopping = forced == CHECK_FORCED_STOPPING;
		check_settle(check, &cause);
	} else if (forced == CHECK_FORCED_STOPPING) {
		server_set_stopping(server);
	} else {
		server_set_up(server, forced == CHECK_FORCED_UP);
	}
}

void check_force_agent(struct server *server, bool is_up)
{
	const struct probe_result cause = {.status = CHECK_UNKNOWN, .text = "set at the runtime socket"};
	struct check *check = server->check;
	if (check == NULL || !check->agent.is_configured)
		return;
	health_set(&check->agent.health, is_up);
	check_settle(check, &cause);
}

int check_enable(struct server *server, enum check_kind kind, bool is_enabled)
{
	struct check *check = server->check;
	struct check_run *run = check == NULL ? NULL : kind == CHECK_HEALTH ? &check->run : &check->agent;
	if (run == NULL || !run->is_configured)
		return -ENOENT;
	if (run->is_enabled == is_enabled)
		return 0;
	run->is_enabled = is_enabled;
	if (kind == CHECK_HEALTH)
		begin_anew(check, is_enabled ? "checks are switched on" : "checks are switched off");
	return 0;
}

/* --- for reports --- */

bool check_view(const struct server *server, enum check_kind kind, struct check_view *ret_view)
{
	const struct check *check = server->check;
	const struct check_run *run = check == NULL ? NULL
		: kind == CHECK_HEALTH              ? &check->run
						    : &check->agent;
	if (run == NULL || !run->is_configured)
		return false;
	*ret_view = (struct check_view){
		.is_enabled = run->is_enabled,
		.is_running = probe_is_running(&run->probe),
		.is_paused = kind == CHECK_HEALTH && is_in_maintenance(check),
		.status = run->last.status,
		.code = run->last.code,
		.duration_ms = run->last.duration_ms,
		.text = run->last.text,
		.rise = run->health.rise,
		.fall = run->health.fall,
		.value = run->health.value,
		.failed = run->failed,
	};
	return true;
}

/* Whose checks decide: its own, or those of what it tracks. */
static const struct check *check_of(const struct server *server)
{
	while (server->followed != NULL)
		server = server->followed;
	return server->check;
}

/* Down because the agent says so; or drained where there is an agent that may have. */
static bool is_by_agent(const struct check *check, const char *name)
{
	if (check == NULL || !check->agent.is_enabled)
		return false;
	return strcmp(name, "DRAIN") == 0 ||
		(strcmp(name, "DOWN") == 0 && !health_is_up(&check->agent.health));
}

void check_state_print(const struct server *server, char *ret_text, size_t size)
{
	const char *name = server_state_name(server);
	const struct check *check = check_of(server);
	unsigned done, of;
	bool is_fixed = name[0] == 'M' || name[0] == 'n' || check == NULL || !check->run.is_configured ||
		!check->run.is_enabled;
	if (is_by_agent(check, name)) {
		snprintf(ret_text, size, "%s (agent)", name);
		return;
	}
	if (is_fixed || !health_is_changing(&check->run.health)) {
		snprintf(ret_text, size, "%s", name);
		return;
	}
	health_progress(&check->run.health, &done, &of);
	snprintf(ret_text, size, "%s %u/%u", name, done, of);
}
