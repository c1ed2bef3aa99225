/* A line: two sockets relayed by the socket relay's tables, by the smallest user space that
 * keeps to the contract in bpf/sockmap.h.  It owns nothing but its buffers and its epoll
 * descriptor, and never blocks but in line_step(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sockmap.h"

enum { LINE_BUFFER_BYTES = 256 << 10, LINES_MAX = 64 };

/* Rules of user space that a test takes out; the program's are enum sockmap_rule. */
enum line_rule {
	LINE_RULE_PASS_FIRST = 1 << 0, /* begin by passing, and read what came before */
	LINE_RULE_DRAIN = 1 << 1, /* send and end only when the direction is drained */
	LINE_RULE_LOCK = 1 << 2, /* leave by sockmap_leave() */
	LINE_RULE_QUIET = 1 << 3, /* EPOLLRDHUP alone while redirecting */
	LINE_RULE_CAUGHT_UP = 1 << 4, /* an end comes after everything passed */
};

enum line_state {
	LINE_OUT, /* this thread copies, the kernel is not asked */
	LINE_PASSING,
	LINE_REDIRECTING,
	LINE_CLOSED, /* the end has been passed on */
};

struct line_way { /* one direction */
	unsigned direction; /* its number in the table */
	int source, target;
	enum line_state state;
	bool is_ended; /* the source has ended, or failed */
	bool is_failed;
	bool is_entering, is_leaving;
	bool is_hushed;
	int clamp; /* the source's, before it was hushed */
	bool is_left; /* to be found drained before this thread writes */
	uint8_t *buf;
	size_t start, len; /* read and not yet sent */
	uint64_t copied; /* bytes sent by this thread, in any state */
	unsigned leaves_tried;
};

struct line {
	struct sockmap_table *table;
	unsigned index;
	unsigned rules_off; /* enum line_rule */
	int epoll;
	int fds[2];
	struct line_way ways[2]; /* 0: fds[0] to fds[1] */
	uint32_t interest[2]; /* EPOLL bits of each socket */
	uint32_t edges[2]; /* EPOLLERR, EPOLLHUP and EPOLLRDHUP that came */
	bool is_waiting; /* for a direction to drain: look again soon */
	bool is_reset; /* one side failed, the other was reset */
	unsigned wakes; /* epoll_wait() calls that brought something */
	unsigned events;
};

/* Enters the pair; the sockets must be non-blocking.  All open lines are of one table, which
 * reports to them.  Returns 0 or -errno. */
int line_open(struct line *line, struct sockmap_table *table, unsigned index, const int fds[2]) MUST_USE;
/* Puts both directions into the kernel's hands (and takes what came before).  Sources that
 * cannot enter are copied.  Returns 0 or -errno. */
int line_enter(struct line *line) MUST_USE;
/* A way that is out shall enter again; line_step() does it when it holds nothing.  Returns
 * 0, or -errno when it could be tried at once. */
int line_enter_way(struct line *line, unsigned number) MUST_USE;
/* A way that shall leave; line_step() does it when it can, and hushes the sender for it
 * when that is wanted. */
void line_leave(struct line *line, unsigned number, bool is_hushed);
/* Waits at most timeout_ms for anything, and does what there is to do. */
void line_step(struct line *line, unsigned timeout_ms);
/* Both ends have been passed on, or it was reset. */
bool line_is_over(const struct line *line);
/* Takes the pair out; the sockets stay open. */
void line_close(struct line *line);
