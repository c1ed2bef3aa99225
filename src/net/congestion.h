/* Which congestion control a TCP connection gets (tcp(7), TCP_CONGESTION). */
#pragma once

#include "base/address.h"
#include "base/status.h"

/* The configured algorithm; without one NULL, which leaves it to the system.  But for
 * an address of the loopback network, and a system whose default paces what it sends
 * (BBR): there an algorithm that does not, because there is no path to probe and each
 * pause costs a timer on both sides (docs/decisions/0006). */
const char *congestion_choose(const char *configured, const struct address *address);
/* 0 when a socket of this process can have it, or -errno (ENOENT: unknown here,
 * EPERM: not in net.ipv4.tcp_allowed_congestion_control). */
int congestion_check(const char *name) MUST_USE;
/* NULL: nothing to do.  Returns 0 or -errno; bytes flow without it, too. */
int congestion_set(int fd, const char *name);
