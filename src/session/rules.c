/* Rules about who has connected, before anything is read. */
#include "rule/acl.h"
#include "session/session_rules.h"

static enum session_verdict judge(struct session *session, const struct config_rule *rule)
{
	enum session_verdict verdict = VERDICT_GO_ON;
	struct session_facts facts;
	/* Most configurations have none. */
	if (rule == NULL)
		return VERDICT_GO_ON;
	session_facts_fill(session, &facts);
	facts.facts.is_final = true;
	for (; rule != NULL; rule = rule->next) {
		if (rule_condition_evaluate(rule->condition, &facts.facts) != RULE_YES)
			continue;
		if (rule->action == CONFIG_RULE_REJECT)
			return VERDICT_REJECT;
		if (rule->action == CONFIG_RULE_ACCEPT)
			return verdict;
		/* Expecting a header does not end the rules: one below may still reject. */
		verdict = VERDICT_EXPECT_PROXY;
	}
	return verdict;
}

enum session_verdict session_judge_connection(struct session *session)
{
	return judge(session, session_frontend_config(session)->rules.connection);
}

enum session_verdict session_judge_session(struct session *session)
{
	return judge(session, session_frontend_config(session)->rules.session);
}
