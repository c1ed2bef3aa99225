/* Telling systemd how the service is, by sd_notify(3)'s protocol. */
#pragma once

#include <stdint.h>

#include "base/status.h"

/* Sends the lines to the socket that NOTIFY_SOCKET names; without one does nothing.  What
 * cannot be sent is lost: a service runs as well unheard. */
void notify_send(const char *format, ...) PRINTF_LIKE(1, 2);
/* How often to say WATCHDOG=1: half of what WATCHDOG_USEC asks for; 0: never. */
uint64_t notify_watchdog_ms(void);
