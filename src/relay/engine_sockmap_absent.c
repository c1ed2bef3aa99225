/* Stands for the sockmap engine where the BPF programs could not be built. */

#include "relay/engine.h"

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
