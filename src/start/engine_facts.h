/* What the engines find here: tried, not believed. */
#pragma once

#include "bpf/wire.h"
#include "relay/engine.h"

struct engine_facts {
	struct kernel_facts kernel;
	char wire_reason[WIRE_REASON_MAX]; /* kernel.wire_refusal may point here */
};

/* Loads programs, opens rings, and lets go of them again. */
void engine_facts_find(struct engine_facts *ret_facts);
