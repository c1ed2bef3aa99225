/* Every engine's own trial. */

#include "start/engine_facts.h"

/* NULL: the programs load. */
static const char *wire_try(char reason[WIRE_REASON_MAX])
{
	struct wire_table *table = NULL;
	if (wire_table_create(1, &table, reason) != 0)
		return reason;
	wire_table_destroy(table);
	return NULL;
}

void engine_facts_find(struct engine_facts *ret_facts)
{
	kernel_facts_probe(NULL, &ret_facts->kernel);
	ret_facts->kernel.wire_refusal = wire_try(ret_facts->wire_reason);
	if (sockmap_selftest(ret_facts->sockmap_reason) != 0)
		ret_facts->kernel.sockmap_refusal = ret_facts->sockmap_reason;
}
