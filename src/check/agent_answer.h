/* What an agent says about its server, in one line.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum agent_health { AGENT_HEALTH_SAME, AGENT_HEALTH_UP, AGENT_HEALTH_DOWN };
enum agent_admin { AGENT_ADMIN_SAME, AGENT_ADMIN_READY, AGENT_ADMIN_DRAIN, AGENT_ADMIN_MAINT };

struct agent_answer {
	enum agent_health health;
	enum agent_admin admin;
	bool has_weight, has_maxconn;
	unsigned weight_percent; /* of the configured one */
	unsigned maxconn;
	bool has_unknown_word; /* which is passed over */
	const char *word; /* of health, as it was said; static; NULL: none */
	const uint8_t *reason; /* behind '#', in the bytes; NULL: none */
	size_t reason_len;
};

/* Reads the first line of the bytes; false when it has no end or says nothing. */
bool agent_answer_parse(const uint8_t *bytes, size_t len, struct agent_answer *ret_answer) MUST_USE;
