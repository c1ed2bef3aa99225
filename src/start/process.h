/* The process around the proxy: background, pid file, privileges. */
#pragma once

#include "base/status.h"
#include "config/config.h"

/* Opened before privileges are dropped, written after the fork.  -1 and no
 * complaint when path is NULL.  Reports by log_event. */
int process_pidfile_open(const char *path, int *ret_fd) MUST_USE;
void process_pidfile_write(int fd);

/* Chroot, group, user as the configuration says.  With keeps_bpf a change from root to another
 * user leaves CAP_BPF and CAP_PERFMON, and no other.  Reports by log_event. */
int process_privileges_drop(const struct config_global *global, bool keeps_bpf) MUST_USE;

/* Forks; the parent exits with 0 once the child calls process_background_ready(),
 * or with 1 when the child dies before. */
int process_background(int *ret_ready_fd) MUST_USE;
void process_background_ready(int *ready_fd);
/* Lets go of the terminal: standard descriptors, and messages there. */
void process_detach(void);
