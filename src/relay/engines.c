/* The list of engines and what the kernel was found to allow. */

#include "relay/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

const struct relay_engine *const relay_engines[] = {&relay_engine_wire, &relay_engine_sockmap,
	&relay_engine_splice, &relay_engine_uring, &relay_engine_copy, NULL};

static const char *const engine_names[] = {"auto", "copy", "sockmap", "splice", "uring", "wire", NULL};

const struct relay_engine *relay_engine_find(const char *name)
{
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		if (strcmp(relay_engines[i]->name, name) == 0)
			return relay_engines[i];
	}
	return NULL;
}

unsigned relay_engine_index(const struct relay_engine *engine)
{
	unsigned i = 0;
	while (relay_engines[i] != engine) {
		CHECK(relay_engines[i] != NULL);
		i++;
	}
	return i;
}

const char *const *relay_engine_names(void)
{
	return engine_names;
}

/* Splicing from an unconnected TCP socket answers ENOTCONN where it is supported
 * and allowed, and something else (EINVAL, EPERM, ENOSYS) where it is not. */
static int probe_splice(void)
{
	FD_AUTO int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (tcp < 0)
		tcp = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (tcp < 0)
		return errno;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return errno;
	FD_AUTO int read_end = ends[0];
	FD_AUTO int write_end = ends[1];
	(void)read_end;
	ssize_t moved = splice(tcp, NULL, write_end, NULL, 1, SPLICE_F_NONBLOCK);
	return moved >= 0 || errno == ENOTCONN || errno == EAGAIN ? 0 : errno;
}

static unsigned probe_pipe_bytes(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return 0;
	FD_AUTO int read_end = ends[0];
	FD_AUTO int write_end = ends[1];
	(void)fcntl(write_end, F_SETPIPE_SZ, 1 << 20);
	int granted = fcntl(read_end, F_GETPIPE_SZ);
	return granted > 0 ? (unsigned)granted : 0;
}

void kernel_facts_probe(const struct loop *loop, struct kernel_facts *ret_facts)
{
	ret_facts->ring_refusal = relay_ring_refusal(loop);
	ret_facts->splice_error = probe_splice();
	ret_facts->wire_refusal = NULL;
	ret_facts->sockmap_refusal = NULL;
	ret_facts->pipe_bytes_max = probe_pipe_bytes();
}
