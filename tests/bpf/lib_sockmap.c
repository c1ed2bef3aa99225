/* The smallest user space of a socket relay. */

#include "lib_sockmap.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "bpf/sockmap_internal.h"

enum { ROUNDS_MAX = 16, RETRY_MS = 1, EDGES = EPOLLERR | EPOLLHUP | EPOLLRDHUP };

static bool has_rule(const struct line *line, enum line_rule rule)
{
	return !(line->rules_off & rule);
}

static void interest_set(struct line *line, unsigned socket, uint32_t bits, bool is_wanted)
{
	uint32_t wanted = is_wanted ? line->interest[socket] | bits : line->interest[socket] & ~bits;
	struct epoll_event event = {.events = wanted, .data.u32 = socket};
	if (wanted == line->interest[socket])
		return;
	line->interest[socket] = wanted;
	CHECK(epoll_ctl(line->epoll, EPOLL_CTL_MOD, line->fds[socket], &event) == 0);
}

/* All of one table. */
static struct line *lines[LINES_MAX];

static void on_event(void *ctx, const struct sockmap_event *event)
{
	struct line *line = lines[event->direction >> 1];
	(void)ctx;
	if (line == NULL)
		return;
	struct line_way *way = &line->ways[event->direction & 1];
	line->events++;
	if (event->trouble != 0)
		line->is_reset = true;
	if (way->state == LINE_REDIRECTING)
		way->state = LINE_PASSING;
}

int line_open(struct line *line, struct sockmap_table *table, unsigned index, const int fds[2])
{
	memset(line, 0, sizeof(*line));
	line->table = table;
	line->index = index;
	line->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < 2; i++) {
		struct line_way *way = &line->ways[i];
		struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = i};
		line->fds[i] = fds[i];
		line->interest[i] = event.events;
		*way = (struct line_way){.direction = index << 1 | i,
			.source = fds[i],
			.target = fds[1 - i],
			.buf = malloc(LINE_BUFFER_BYTES)};
		CHECK(way->buf != NULL && epoll_ctl(line->epoll, EPOLL_CTL_ADD, fds[i], &event) == 0);
	}
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 2};
	CHECK(epoll_ctl(line->epoll, EPOLL_CTL_ADD, sockmap_table_events_fd(table), &event) == 0);
	CHECK(index < LINES_MAX);
	lines[index] = line;
	sockmap_table_set_handler(table, on_event, NULL);
	return sockmap_pair_add(table, index, fds);
}

void line_close(struct line *line)
{
	sockmap_pair_del(line->table, line->index, line->fds);
	lines[line->index] = NULL;
	close(line->epoll);
	for (unsigned i = 0; i < 2; i++)
		free(line->ways[i].buf);
}

static int enter(struct line *line, struct line_way *way)
{
	uint8_t byte;
	int error = sockmap_source_add(line->table, way->direction, way->source);
	way->is_entering = false;
	if (error != 0)
		return error;
	way->state = LINE_PASSING;
	/* What came before makes no edge; the next step reads it. */
	line->is_waiting = true;
	if (has_rule(line, LINE_RULE_PASS_FIRST))
		return 0;
	sockmap_direction_set_mode(line->table, way->direction, SOCKMAP_REDIRECT);
	way->state = LINE_REDIRECTING;
	(void)!recv(way->source, &byte, 1, MSG_DONTWAIT);
	return 0;
}

int line_enter_way(struct line *line, unsigned number)
{
	struct line_way *way = &line->ways[number];
	if (way->state != LINE_OUT)
		return -EBUSY;
	way->is_entering = true;
	return way->len == 0 && !way->is_left ? enter(line, way) : 0;
}

int line_enter(struct line *line)
{
	for (unsigned i = 0; i < 2; i++) {
		int error = line_enter_way(line, i);
		if (error != 0 && error != -EOPNOTSUPP)
			return error;
	}
	return 0;
}

void line_leave(struct line *line, unsigned number, bool is_hushed)
{
	struct line_way *way = &line->ways[number];
	if (way->state == LINE_OUT || way->state == LINE_CLOSED)
		return;
	way->is_leaving = true;
	line->is_waiting = true;
	if (is_hushed && !way->is_hushed)
		way->is_hushed = sockmap_source_hush(way->source, &way->clamp) == 0;
}

bool line_is_over(const struct line *line)
{
	return line->is_reset || (line->ways[0].state == LINE_CLOSED && line->ways[1].state == LINE_CLOSED);
}

/* The far end of `fd` gets a reset. */
static void reset(struct line *line, int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	line->is_reset = true;
	(void)connect(fd, &none, sizeof(none));
}

/* Whether all that was redirected is in the target; looks again soon if not. */
static bool is_drained(struct line *line, struct line_way *way)
{
	if (!has_rule(line, LINE_RULE_DRAIN))
		return true;
	int drained = sockmap_direction_is_drained(line->table, way->direction);
	if (drained == 0)
		line->is_waiting = true;
	return drained == 1;
}

/* The target takes nothing more.  What its own way still has to give goes on. */
static void target_fail(struct line *line, struct line_way *way)
{
	way->len = 0;
	way->state = LINE_CLOSED;
	line->edges[way->target == line->fds[0] ? 0 : 1] |= EPOLLERR;
}

/* Sends what was read.  True when nothing is left of it. */
static bool flush(struct line *line, struct line_way *way)
{
	unsigned target = way == &line->ways[0] ? 1 : 0;
	if (way->len != 0 && way->state != LINE_OUT && !is_drained(line, way))
		return false;
	while (way->len != 0) {
		ssize_t sent =
			send(way->target, way->buf + way->start, way->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			target_fail(line, way);
		interest_set(line, target, EPOLLOUT, sent < 0 && errno == EAGAIN);
		if (sent < 0)
			return false;
		way->start += (size_t)sent;
		way->len -= (size_t)sent;
		way->copied += (size_t)sent;
		if (way->state != LINE_OUT)
			sockmap_direction_send(line->table, way->direction, (uint64_t)sent);
	}
	return true;
}

/* A source's end or failure goes on when everything before it has. */
static void end_pass_on(struct line *line, struct line_way *way)
{
	if (!is_drained(line, way))
		return;
	if (way->is_failed) {
		reset(line, way->target);
		return;
	}
	way->state = LINE_CLOSED;
	if (shutdown(way->target, SHUT_WR) != 0)
		line->is_reset = true;
}

/* As one would think it works. */
static void leave_unlocked(struct line *line, struct line_way *way)
{
	uint32_t direction = way->direction;
	struct sockmap_direction *entry = &line->table->directions[direction];
	if (sockmap_direction_unread(line->table, direction) != 0 || way->len != 0)
		return;
	CHECK(bpf_map_delete_elem(line->table->sources_fd, &direction) == 0);
	entry->count.has_left = 1;
	entry->order.taken = entry->order.sent = entry->count.passed;
}

/* Without a look at what is unread: the kernel's is the one that counts. */
static void leave(struct line *line, struct line_way *way)
{
	way->leaves_tried++;
	line->is_waiting = true;
	if (!has_rule(line, LINE_RULE_LOCK)) {
		leave_unlocked(line, way);
	} else if (sockmap_leave(line->table, &way->direction, 1) < 0) {
		CHECK(false);
	}
	if (!sockmap_direction_has_left(line->table, way->direction))
		return;
	if (way->is_hushed)
		sockmap_source_release(way->source, way->clamp);
	way->state = LINE_OUT;
	way->is_left = true;
	way->is_leaving = way->is_hushed = false;
}

/* Nothing to read for now. */
static void rest(struct line *line, struct line_way *way)
{
	if (way->state != LINE_PASSING)
		return;
	sockmap_direction_set_mode(line->table, way->direction, SOCKMAP_REDIRECT);
	if (sockmap_direction_settle(line->table, way->direction))
		way->state = LINE_REDIRECTING;
	else
		line->is_waiting = true;
}

/* What recv() says when it brings nothing.  An end may be seen before bytes that were passed
 * but wait in the source's own queue: then it is none yet. */
static void end_note(struct line *line, struct line_way *way, ssize_t len)
{
	bool has_more = way->state != LINE_OUT &&
		sockmap_direction_unread(line->table, way->direction) != 0 &&
		has_rule(line, LINE_RULE_CAUGHT_UP);
	/* A failure is told once; if send() has heard it, here it looks like an end. */
	bool is_known_failed = line->edges[way == &line->ways[0] ? 0 : 1] & EPOLLERR;
	way->is_failed = len < 0 ? errno != EAGAIN : is_known_failed && !has_more;
	way->is_ended = (len == 0 && !has_more) || way->is_failed;
	if (len == 0 && has_more) {
		line->is_waiting = true;
		if (way->state == LINE_REDIRECTING)
			way->state = LINE_PASSING;
	}
}

/* Reads and sends; recv() takes the source's lock, so a verdict that redirects is over. */
static void pump(struct line *line, struct line_way *way)
{
	if (way->is_left && !is_drained(line, way))
		return;
	way->is_left = false;
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		if (!flush(line, way))
			return;
		if (way->is_entering && enter(line, way) == 0)
			return;
		ssize_t len = recv(way->source, way->buf, LINE_BUFFER_BYTES, MSG_DONTWAIT);
		if (len <= 0) {
			end_note(line, way, len);
			if (len < 0 && !way->is_failed)
				rest(line, way);
			return;
		}
		way->start = 0;
		way->len = (size_t)len;
		if (way->state != LINE_OUT)
			sockmap_direction_take(line->table, way->direction, (uint64_t)len);
	}
	line->is_waiting = true;
}

/* While redirecting: a source that has ended is seen by looking, not by reading. */
static void glance(struct line *line, struct line_way *way, uint32_t edges)
{
	uint8_t byte;
	if (!(edges & EDGES))
		return;
	ssize_t len = recv(way->source, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	if (len > 0)
		way->state = LINE_PASSING;
	else
		end_note(line, way, len);
}

static void advance(struct line *line, unsigned number)
{
	struct line_way *way = &line->ways[number];
	if (way->state == LINE_CLOSED || line->is_reset)
		return;
	if (way->state == LINE_REDIRECTING)
		glance(line, way, line->edges[number]);
	if (way->state != LINE_REDIRECTING && !way->is_ended)
		pump(line, way);
	if (way->is_leaving && !way->is_ended)
		leave(line, way);
	if (way->is_ended && way->len == 0 && !line->is_reset)
		end_pass_on(line, way);
}

/* What each socket is listened to for. */
static void listen_again(struct line *line)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct line_way *way = &line->ways[i];
		bool is_reading = way->state != LINE_CLOSED && !way->is_ended && way->len == 0;
		bool is_deaf = way->state == LINE_REDIRECTING && has_rule(line, LINE_RULE_QUIET);
		interest_set(line, i, EPOLLIN, is_reading && !is_deaf);
		interest_set(line, i, EPOLLRDHUP, !way->is_ended && way->state != LINE_CLOSED);
	}
}

void line_step(struct line *line, unsigned timeout_ms)
{
	struct epoll_event events[4];
	int timeout = line->is_waiting && timeout_ms > RETRY_MS ? RETRY_MS : (int)timeout_ms;
	int count = epoll_wait(line->epoll, events, 4, timeout);
	line->wakes += count > 0;
	line->is_waiting = false;
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == 2)
			(void)sockmap_table_events_read(line->table);
		else
			line->edges[events[i].data.u32] |= events[i].events & EDGES;
	}
	for (unsigned i = 0; i < 2; i++)
		advance(line, i);
	/* It has nothing more to give, and takes nothing. */
	for (unsigned i = 0; i < 2 && !line->is_reset; i++)
		if (line->edges[i] & EPOLLERR && line->ways[i].state == LINE_CLOSED)
			reset(line, line->fds[1 - i]);
	listen_again(line);
}
