/* How rules meet sessions: what they may know, and what they say.  Private to session/. */
#pragma once

#include "rule/pattern.h"
#include "session/session_internal.h"

/* inspect.c: rules that look at what the client sends first, and where they lead. */
void session_inspect_begin(struct session *session);
void session_inspect_advance(struct session *session);

/* rules.c: what the rules say that need no bytes of the client. */
enum session_verdict { VERDICT_GO_ON, VERDICT_REJECT, VERDICT_EXPECT_PROXY };
enum session_verdict session_judge_connection(struct session *session);
enum session_verdict session_judge_session(struct session *session);

/* facts.c: what rules may know of the session, but for the client's bytes. */
struct session_facts {
	struct rule_facts facts;
	struct session *session;
};
void session_facts_fill(struct session *session, struct session_facts *ret_facts);
/* Looks at the client's bytes where they lie; they stay until the next session is looked at. */
void session_facts_look(struct session *session, struct rule_facts *facts);
/* The key that 'balance hash' makes of an expression. */
struct session_key {
	const void *bytes;
	size_t len;
	uint8_t storage[16];
	bool may_change; /* with more bytes of the client */
};
void session_key_make(struct session_facts *facts, struct session_key *ret_key);
