/* Stands for the wire engine where the BPF programs could not be built. */

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "relay/engine.h"
#include "relay/wire_hub.h"

int wire_hub_create(const struct wire_hub_options *options, struct wire_hub **ret_hub, char *ret_reason)
{
	struct wire_table *table = NULL;
	(void)ret_hub;
	return wire_table_create(options->entries_max, &table, ret_reason);
}

/* No hub exists. */
void wire_hub_destroy(struct wire_hub *hub)
{
	CHECK(hub == NULL);
}

int wire_hub_start(struct wire_hub *hub, struct loop *control_loop)
{
	(void)control_loop;
	CHECK(hub == NULL);
	return 0;
}

void wire_hub_stop(struct wire_hub *hub)
{
	CHECK(hub == NULL);
}

unsigned wire_hub_entries_max(const struct wire_hub *hub)
{
	CHECK(hub == NULL);
	return 0;
}

unsigned wire_hub_entries_used(const struct wire_hub *hub)
{
	CHECK(hub == NULL);
	return 0;
}

unsigned wire_hub_routes_generation(const struct wire_hub *hub)
{
	CHECK(hub == NULL);
	return 0;
}

static const char *unavailable(const struct kernel_facts *facts)
{
	(void)facts;
	return "built without BPF programs: " BPF_MISSING " was missing";
}

static const struct relay_takeover takeover = {0};

const struct relay_engine relay_engine_wire = {
	.name = "wire",
	.summary = "Rewrites packets at the interface, past the sockets; not in this build.",
	.unavailable = unavailable,
	.takeover = &takeover,
};
