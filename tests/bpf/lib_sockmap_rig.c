/* The rig of the socket relay's tests. */

#include "lib_sockmap_rig.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bench/load/pattern.h"
#include "bpf/sockmap_internal.h"

enum { CHUNK = 16 << 10, STEP_MS = 20 };

static char hindrance[SOCKMAP_REASON_MAX];

int rig_setup(void **state)
{
	struct sockmap_table *table;
	const char *wrong = peer_namespace_make();
	(void)state;
	if (wrong != NULL)
		snprintf(hindrance, sizeof(hindrance), "%s", wrong);
	else if (sockmap_table_create(1, &table, hindrance) == 0)
		sockmap_table_destroy(table);
	return 0;
}

void rig_need(void)
{
	if (hindrance[0] == '\0')
		return;
	print_message("skipped: %s\n", hindrance);
	skip();
}

const char *rig_open_source(struct rig *rig, const struct rig_options *options, int source)
{
	static char reason[SOCKMAP_REASON_MAX];
	*rig = (struct rig){.client = -1, .source = source, .target = -1, .server = -1};
	if (sockmap_table_create_without(1, options->rules_off, &rig->table, reason) != 0)
		return reason;
	if (source < 0)
		peer_connect(&rig->client, &rig->source);
	peer_connect(&rig->target, &rig->server);
	const int fds[2] = {rig->source, rig->target};
	rig->is_open = true;
	if (line_open(&rig->line, rig->table, 0, fds) != 0)
		return "the pair cannot be entered";
	rig->line.rules_off = options->line_rules_off;
	return NULL;
}

const char *rig_open(struct rig *rig, const struct rig_options *options)
{
	return rig_open_source(rig, options, -1);
}

void rig_close(struct rig *rig)
{
	if (rig->is_open)
		line_close(&rig->line);
	fd_close(&rig->client);
	fd_close(&rig->source);
	fd_close(&rig->target);
	fd_close(&rig->server);
	sockmap_table_destroy(rig->table);
}

static struct pattern pattern_to(const struct rig *rig, bool is_from_client)
{
	(void)rig;
	return pattern_unique(is_from_client ? RIG_TO_SERVER : RIG_TO_CLIENT);
}

const char *rig_send(struct rig *rig, int fd, uint64_t from, uint64_t to)
{
	struct pattern pattern = pattern_to(rig, fd == rig->client || fd == rig->target);
	uint64_t deadline = clock_monotonic_ms() + RIG_WAIT_MS;
	uint8_t bytes[CHUNK];
	while (from < to) {
		size_t len = to - from < CHUNK ? to - from : CHUNK;
		pattern_fill(&pattern, from, bytes, len);
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return strerror(errno);
		if (sent < 0 && clock_monotonic_ms() > deadline)
			return "no bytes are taken";
		if (sent < 0)
			line_step(&rig->line, STEP_MS);
		from += sent < 0 ? 0 : (uint64_t)sent;
	}
	return NULL;
}

/* Steps until something can be read. */
static const char *step_until_readable(struct rig *rig, int fd, short *ret_events)
{
	uint64_t deadline = clock_monotonic_ms() + RIG_WAIT_MS;
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	while (poll(&wait, 1, 0) == 0) {
		if (clock_monotonic_ms() > deadline)
			return "nothing comes";
		line_step(&rig->line, 1);
	}
	*ret_events = wait.revents;
	return NULL;
}

const char *rig_expect(struct rig *rig, int fd, uint64_t from, uint64_t to)
{
	struct pattern pattern = pattern_to(rig, fd == rig->server || fd == rig->source);
	uint8_t bytes[CHUNK];
	short events;
	while (from < to) {
		const char *wrong = step_until_readable(rig, fd, &events);
		if (wrong != NULL)
			return wrong;
		ssize_t len = recv(fd, bytes, to - from < CHUNK ? to - from : CHUNK, 0);
		if (len < 0 && errno == EAGAIN)
			continue;
		if (len <= 0)
			return len == 0 ? "an end comes too early" : strerror(errno);
		if (pattern_check(&pattern, from, bytes, (size_t)len) != (size_t)len)
			return "wrong bytes come";
		from += (uint64_t)len;
	}
	return NULL;
}

const char *rig_expect_end(struct rig *rig, int fd)
{
	uint8_t byte;
	short events;
	const char *wrong = step_until_readable(rig, fd, &events);
	if (wrong != NULL)
		return wrong;
	ssize_t len = recv(fd, &byte, 1, 0);
	if (len == 0)
		return NULL;
	return len > 0 ? "bytes come instead of an end" : strerror(errno);
}

const char *rig_expect_state(struct rig *rig, unsigned way, enum line_state state)
{
	uint64_t deadline = clock_monotonic_ms() + RIG_WAIT_MS;
	while (rig->line.ways[way].state != state) {
		if (clock_monotonic_ms() > deadline)
			return "a state is not reached";
		line_step(&rig->line, 1);
	}
	return NULL;
}

const char *rig_enter(struct rig *rig)
{
	if (line_enter(&rig->line) != 0)
		return "the sources cannot be entered";
	for (unsigned i = 0; i < 2; i++) {
		const char *wrong = rig_expect_state(rig, i, LINE_REDIRECTING);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

const char *rig_transfer(struct rig *rig, struct peer peers[2], unsigned timeout_ms)
{
	uint64_t deadline = clock_monotonic_ms() + timeout_ms;
	const char *wrong[2];
	while (!(line_is_over(&rig->line) && peer_is_done(&peers[0]) && peer_is_done(&peers[1])) &&
		clock_monotonic_ms() < deadline)
		line_step(&rig->line, STEP_MS);
	for (unsigned i = 0; i < 2; i++)
		wrong[i] = peer_stop(&peers[i], peers[1 - i].sends);
	return wrong[0] != NULL ? wrong[0] : wrong[1];
}

bool rig_hold_processor(bool is_held)
{
	static cpu_set_t before;
	cpu_set_t one;
	struct sched_param parameter = {.sched_priority = is_held ? 1 : 0};
	if (!is_held) {
		(void)sched_setscheduler(0, SCHED_OTHER, &parameter);
		return sched_setaffinity(0, sizeof(before), &before) == 0;
	}
	if (sched_getaffinity(0, sizeof(before), &before) != 0)
		return false;
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0 &&
		sched_setscheduler(0, SCHED_FIFO, &parameter) == 0;
}
