/* Stands for watch_bpf.c in a build without libbpf, clang or bpftool. */
#include "watch_bpf.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"

struct watch_bpf *watch_bpf_create(const pid_t *pids, size_t count, char *ret_reason, size_t reason_size)
{
	(void)pids, (void)count;
	snprintf(ret_reason, reason_size, "this build has no BPF: libbpf, clang or bpftool was missing");
	return NULL;
}

/* There is no object to call these with. */
void watch_bpf_start(struct watch_bpf *bpf)
{
	CHECK(bpf == NULL);
}

void watch_bpf_stop(struct watch_bpf *bpf)
{
	CHECK(bpf == NULL);
}

int watch_bpf_read(struct watch_bpf *bpf, size_t place, struct watch_counts *ret_counts)
{
	(void)place, (void)ret_counts;
	CHECK(bpf == NULL);
	return -ENOSYS;
}

void watch_bpf_destroy(struct watch_bpf *bpf)
{
	CHECK(bpf == NULL);
}
