/* Stands for the loop over io_uring where liburing was missing at build time. */
#include <errno.h>

#include "loop/loop_internal.h"
#include "loop/ring.h"

static const char *absent_unavailable(void)
{
	return "built without io_uring: liburing 2.3 was missing";
}

static int absent_open(struct loop *loop)
{
	(void)loop;
	return -ENOSYS;
}

/* No loop exists, so nothing else is ever called. */
const struct loop_backend loop_backend_uring = {
	.name = "uring",
	.unavailable = absent_unavailable,
	.open = absent_open,
};

bool loop_has_ring(const struct loop *loop)
{
	(void)loop;
	return false;
}
