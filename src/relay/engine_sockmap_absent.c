/* Stands for the sockmap engine where the BPF programs could not be built. */

#include "base/check.h"
#include "relay/sockmap_internal.h"

/* No direction has the engine. */
struct sockmap_way *sockmap_way_of(const struct relay *relay, enum relay_side from)
{
	CHECK(relay->directions[from].engine != &relay_engine_sockmap);
	return NULL;
}

static const char *unavailable(const struct kernel_facts *facts)
{
	(void)facts;
	return "built without BPF programs: " BPF_MISSING " was missing";
}

const struct relay_engine relay_engine_sockmap = {
	.name = "sockmap",
	.summary = "Relays between the sockets in the kernel; not in this build.",
	.unavailable = unavailable,
};
