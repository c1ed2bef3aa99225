/* What an agent's answer changes: health, administrative state, weight, maxconn. */
#include "backend/balancer.h"
#include "base/text.h"
#include "check/agent_answer.h"
#include "check/check_internal.h"
#include "check/check_status.h"

static void text_set(struct probe_result *result, const struct agent_answer *answer)
{
	char reason[PROBE_TEXT_BYTES];
	struct text text;
	text_init(&text, result->text, sizeof(result->text));
	if (answer->word != NULL)
		text_add(&text, answer->word);
	if (answer->reason != NULL) {
		probe_text_print(answer->reason, answer->reason_len, reason, sizeof(reason));
		text_printf(&text, "%s(%s)", answer->word != NULL ? " " : "", reason);
	}
	if (answer->has_unknown_word)
		text_add(&text, " with words that are not known");
}

/* Static tables take the configured weight or none. */
static void weight_apply(struct server *server, unsigned percent)
{
	unsigned weight = percent * server->config->weight / 100;
	if (percent > 0 && weight == 0)
		weight = 1;
	if (weight > 0 && balancer_is_static(server->backend->config))
		weight = server->config->weight;
	server_set_weight(server, weight);
}

static void admin_apply(struct server *server, enum agent_admin admin)
{
	switch (admin) {
	case AGENT_ADMIN_SAME:
		return;
	case AGENT_ADMIN_READY:
		check_set_admin(server, SERVER_READY);
		return;
	case AGENT_ADMIN_DRAIN:
		check_set_admin(server, SERVER_DRAIN);
		return;
	case AGENT_ADMIN_MAINT:
		check_set_admin(server, SERVER_MAINT);
		return;
	}
}

static void health_apply(struct check *check, const struct agent_answer *answer)
{
	struct check_run *run = &check->agent;
	switch (answer->health) {
	case AGENT_HEALTH_SAME:
		return;
	case AGENT_HEALTH_UP:
		health_pass(&run->health);
		break;
	case AGENT_HEALTH_DOWN:
		run->failed += health_fail(&run->health);
		break;
	}
	check_settle(check, &run->last);
}

/* An agent that cannot be reached, or is not understood, changes nothing. */
void agent_apply(struct check *check, const struct probe *probe)
{
	struct check_run *run = &check->agent;
	struct agent_answer answer;
	enum check_status before = run->last.status;
	bool is_read = check_status_row(probe->result.status)->result == CHECK_RESULT_PASSED;
	run->last = probe->result;
	if (is_read && !agent_answer_parse(probe->received, probe->received_len, &answer)) {
		run->last.status = CHECK_L7_INVALID;
		is_read = false;
	}
	if (!is_read) {
		if (check->server->backend->config->check.has_log && run->last.status != before)
			check_log_result(check, run);
		return;
	}
	run->last.status = answer.health == AGENT_HEALTH_DOWN ? CHECK_L7_WRONG : CHECK_L7_OK;
	text_set(&run->last, &answer);
	if (answer.has_weight)
		weight_apply(check->server, answer.weight_percent);
	if (answer.has_maxconn)
		server_set_maxconn(check->server, answer.maxconn);
	admin_apply(check->server, answer.admin);
	health_apply(check, &answer);
	if (check->server->backend->config->check.has_log && run->last.status != before)
		check_log_result(check, run);
}
