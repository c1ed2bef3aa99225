/* Stands for the uring engine where liburing was missing at build time. */

#include "relay/engine.h"

const char *relay_ring_refusal(const struct loop *loop)
{
	(void)loop;
	return "built without io_uring: liburing 2.3 was missing";
}

static const char *unavailable(const struct kernel_facts *facts)
{
	return facts->ring_refusal;
}

/* Nothing else is ever called. */
const struct relay_engine relay_engine_uring = {
	.name = "uring",
	.summary = "Lets io_uring receive into buffers shared by a worker's connections, and send from them.",
	.unavailable = unavailable,
};
