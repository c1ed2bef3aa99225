/* Loads the program that counts system calls and times wake-ups (watch.bpf.c).
 * Where it cannot be had, watch_bpf_create() says why and all goes on without. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "watch_shared.h"

struct watch_bpf;

/* Loads and attaches the program for these processes, at most WATCH_PROCESSES_MAX;
 * it counts nothing yet.  NULL with one sentence in ret_reason when this build,
 * kernel or user cannot. */
struct watch_bpf *watch_bpf_create(const pid_t *pids, size_t count, char *ret_reason, size_t reason_size);
void watch_bpf_start(struct watch_bpf *bpf);
void watch_bpf_stop(struct watch_bpf *bpf);
/* The counts of the process at that place of pids, over all CPUs, since the creation.  0 or -errno. */
int watch_bpf_read(struct watch_bpf *bpf, size_t place, struct watch_counts *ret_counts) MUST_USE;
void watch_bpf_destroy(struct watch_bpf *bpf);
