/* sd_notify(3)'s protocol: one datagram of lines. */
#include "start/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"

/* A path, or a name of the abstract namespace behind an @.  Returns false without one. */
static bool target_find(struct address *ret_target)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct address target = {.local = {.sun_family = AF_UNIX}};
	size_t len = name != NULL ? strlen(name) : 0;
	if (len < 2 || len >= sizeof(target.local.sun_path) || (name[0] != '/' && name[0] != '@'))
		return false;
	memcpy(target.local.sun_path, name, len);
	if (name[0] == '@')
		target.local.sun_path[0] = '\0';
	target.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	*ret_target = target;
	return true;
}

void notify_send(const char *format, ...)
{
	char lines[512];
	struct address target;
	va_list arguments;
	if (!target_find(&target))
		return;
	va_start(arguments, format);
	int len = vsnprintf(lines, sizeof(lines), format, arguments);
	va_end(arguments);
	if (len <= 0 || (size_t)len >= sizeof(lines))
		return;
	FD_AUTO int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	ssize_t sent = sendto(fd, lines, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT, &target.any, target.len);
	(void)sent;
}

uint64_t notify_watchdog_ms(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (interval == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	unsigned long long interval_us = strtoull(interval, NULL, 10);
	uint64_t half_ms = interval_us / 2000;
	return interval_us > 0 && half_ms == 0 ? 1 : half_ms;
}
