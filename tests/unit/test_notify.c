/* Telling systemd: where to, what, and nothing without being asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "start/notify.h"

/* A receiver at a name that NOTIFY_SOCKET gets; '@' stands for the abstract namespace. */
static int receiver_open(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void lines_go_where_the_environment_says(void **state)
{
	char abstract[64], path[64], got[64] = "";
	const char *names[] = {path, abstract};
	(void)state;
	snprintf(path, sizeof(path), "/tmp/spliced-notify-%d", (int)getpid());
	snprintf(abstract, sizeof(abstract), "@spliced-notify-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		int fd = receiver_open(names[i]);
		notify_send("READY=1\nMAINPID=%d", 17);
		ssize_t len = recv(fd, got, sizeof(got) - 1, 0);
		assert_true(len > 0);
		got[len] = '\0';
		assert_string_equal(got, "READY=1\nMAINPID=17");
		close(fd);
	}
	assert_int_equal(unlink(path), 0);
}

static void without_a_place_nothing_is_said(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	notify_send("READY=1");
}

static void the_watchdog_is_told_twice_as_often_as_asked(void **state)
{
	char number[16];
	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_USEC", "100", 1);
	assert_int_equal(notify_watchdog_ms(), 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_ms(), 0);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("WATCHDOG_PID", number, 1);
	assert_int_equal(notify_watchdog_ms(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_go_where_the_environment_says),
		cmocka_unit_test(without_a_place_nothing_is_said),
		cmocka_unit_test(the_watchdog_is_told_twice_as_often_as_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
