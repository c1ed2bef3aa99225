/* What the engines find here: tried, not believed. */
#pragma once

#include "bpf/sockmap.h"
#include "bpf/wire.h"
#include "relay/engine.h"

struct engine_facts {
	struct kernel_facts kernel;
	/* kernel.wire_refusal and sockmap_refusal may point here. */
	char wire_reason[WIRE_REASON_MAX], sockmap_reason[SOCKMAP_REASON_MAX];
};

/* Loads programs, opens rings, and lets go of them again. */
void engine_facts_find(struct engine_facts *ret_facts);
