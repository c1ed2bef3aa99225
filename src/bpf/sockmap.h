/* Loads the socket relay programs and keeps their tables.  It does what it is told; which
 * connections are relayed, and when, is the relay engine's to decide.
 *
 * One thread uses a table: a worker has its own.  Everything that follows is per direction
 * (bpf/shared/sockmap.h), and its engine must keep to it, or bytes are lost:
 *
 *   OUT          another engine carries the direction, and has delivered all it took.
 *   PASSING      sockmap_source_add().  All bytes come to user space, in order: also those
 *                that arrived before (the first recv() brings them), and the rest of a
 *                packet that was read in part.  Listen for EPOLLIN.  For each recv():
 *                note it (_take); then, not before, ask whether the direction is drained;
 *                only then send(), and note it (_send).  recv() with EAGAIN: _settle().
 *   REDIRECTING  _set_mode(REDIRECT) when _settle() first said true.  Listen for
 *                EPOLLRDHUP alone, as EPOLLIN wakes for every packet; never recv() without
 *                MSG_PEEK.  A record (on_event) says that bytes are passed again: listen for
 *                EPOLLIN and read as in PASSING until _settle() says true; the program
 *                then redirects again by itself.
 *   LEAVING      sockmap_leave(), as often as it takes, while going on as before; then read
 *                and send by oneself, the first send() once the direction is drained: OUT.
 *
 * A source's end (EPOLLRDHUP) is no byte and does not travel: when recv() says 0 (with
 * MSG_PEEK while redirecting; either waits for the verdict that may still run), and then
 * nothing passed is left to read or send, and then the direction is drained: only then
 * shutdown() of the target.  The other direction goes on.  "Drained" has no event; ask
 * again within a millisecond or so: what waits has room in the target's buffer.
 *
 * A source's reset: the same, and then reset the target.  A target's reset: what waits for
 * it is lost, and its direction passes (SOCKMAP_TARGET); reset the source when what the target
 * had sent is delivered.  The kernel tells an error once: after send() has heard it, recv() on
 * the same socket speaks of an end.  Trouble (a record, or _trouble) means a reset for both.
 * Never close() or shutdown() a target that is not drained, nor take a source out other than
 * by sockmap_leave(), but to give up the connection: the kernel forgets what waits.
 *
 * A socket has one queue for what is redirected to it and for what it passes.  So a
 * direction redirects only while the way back redirects too, or is OUT (SOCKMAP_WAY_BACK).
 *
 * Not for sockets with kTLS, nor MPTCP; a socket that its peer has ended cannot enter.
 * Not to be set on either socket: SO_RCVLOWAT, TCP_NOTSENT_LOWAT.  Urgent data comes in
 * band.  splice(2) reads nothing from a source. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "bpf/shared/sockmap.h"

struct sockmap_table;

enum { SOCKMAP_REASON_MAX = 256 };

/* Loads the programs with room for pairs_max pairs.  Needs CAP_BPF, CAP_NET_ADMIN and
 * CAP_PERFMON (or root), type information in /sys/kernel/btf, and a kernel that does not
 * lose bytes (sockmap_kernel_is_fit()).  Returns 0, or a negative errno with a sentence for
 * the operator in ret_reason, which has room for SOCKMAP_REASON_MAX bytes. */
int sockmap_table_create(unsigned pairs_max, struct sockmap_table **ret_table, char *ret_reason) MUST_USE;
/* What is still in it is passed on no more.  NULL is allowed. */
void sockmap_table_destroy(struct sockmap_table *table);
unsigned sockmap_table_pairs_max(const struct sockmap_table *table);

/* Readable while records wait; reading calls on_event for each that is about an entry as
 * it is now.  Returns their number or -errno.  No pass goes unheard: when the ring was
 * full, the next reading looks at every entry. */
typedef void sockmap_event_handler(void *ctx, const struct sockmap_event *event);
void sockmap_table_set_handler(struct sockmap_table *table, sockmap_event_handler *on_event, void *ctx);
int sockmap_table_events_fd(const struct sockmap_table *table);
int sockmap_table_events_read(struct sockmap_table *table);

/* Enters two connected sockets, both as targets; nothing is redirected yet.  Returns 0,
 * -EEXIST when the entry is in use or a socket is in this table, -EOPNOTSUPP when one
 * cannot be entered (not TCP, not established, MPTCP), -EINVAL with kTLS, or -errno; then
 * nothing was entered. */
int sockmap_pair_add(struct sockmap_table *table, unsigned index, const int fds[2]) MUST_USE;
/* Takes everything of the pair out; what is not drained, or passed and not read, is lost.
 * Before the sockets are closed; or with -1 for one that is. */
void sockmap_pair_del(struct sockmap_table *table, unsigned index, const int fds[2]);

/* OUT to PASSING.  User space must have delivered to the target all it took from the
 * source.  Returns 0, -EOPNOTSUPP (the peer has ended), or -errno. */
int sockmap_source_add(struct sockmap_table *table, unsigned direction, int source_fd) MUST_USE;
/* To PASS, and no verdict that redirects still runs: from here on what was redirected grows
 * no more until the mode is set again.  Once the direction is then drained, recv() and send()
 * need no further question; they may be noted after both. */
void sockmap_direction_halt(struct sockmap_table *table, unsigned direction, int source_fd);
void sockmap_direction_set_mode(struct sockmap_table *table, unsigned direction, enum sockmap_mode mode);
/* User space has read bytes from the source; the target has accepted bytes of these. */
void sockmap_direction_take(struct sockmap_table *table, unsigned direction, uint64_t bytes);
void sockmap_direction_send(struct sockmap_table *table, unsigned direction, uint64_t bytes);
/* How many bytes passed are still to be read from the source. */
uint64_t sockmap_direction_unread(const struct sockmap_table *table, unsigned direction);
/* True when user space has nothing to read or send, and there is no trouble: later bytes
 * make a record. */
bool sockmap_direction_settle(struct sockmap_table *table, unsigned direction);
/* SOCKMAP_SPOILT, SOCKMAP_STUCK; 0: none.  For when it does not settle. */
unsigned sockmap_direction_trouble(const struct sockmap_table *table, unsigned direction);
/* How many of the bytes redirected the target has not accepted yet.  Returns 0, -ENOENT when it
 * is gone, or -errno. */
int sockmap_direction_pending(struct sockmap_table *table, unsigned direction, uint64_t *ret_bytes) MUST_USE;
/* 1 when the target has accepted all that was redirected, 0 while it has not, -ENOENT
 * when it is gone.  Only while the direction passes is 1 of any duration. */
int sockmap_direction_is_drained(struct sockmap_table *table, unsigned direction) MUST_USE;
void sockmap_direction_read(
	const struct sockmap_table *table, unsigned direction, struct sockmap_count *ret_count);

/* Takes those of the directions out that have nothing unread when their source is visited,
 * under its lock.  Walks the hash of all TCP sockets, 6 ms of processor time for its 262,144
 * slots: call it for many at once.
 * Returns how many have left, or -errno.  A direction that redirects leaves at once; one that
 * passes may need many tries, or never come to it while the sender does not pause. */
int sockmap_leave(struct sockmap_table *table, const unsigned *directions, unsigned count) MUST_USE;
bool sockmap_direction_has_left(const struct sockmap_table *table, unsigned direction);
/* For that: has the source offer its sender hardly any window, until released with what it
 * returns in *ret_clamp.  Costs the sender up to a retransmission time-out.  Returns 0 or
 * -errno. */
int sockmap_source_hush(int source_fd, int *ret_clamp) MUST_USE;
void sockmap_source_release(int source_fd, int clamp);

/* Whether this kernel's sockmap keeps every byte, by uname(2)'s release and version. */
bool sockmap_kernel_is_fit(const char *release, const char *version);

/* Tries everything this relies on, in a network namespace of its own where that is
 * allowed; takes well under a second and leaves nothing behind.  Returns 0, or a negative
 * errno when the engine must not be used; either way says so in ret_words. */
int sockmap_selftest(char *ret_words) MUST_USE;
