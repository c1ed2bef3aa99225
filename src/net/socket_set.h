/* Listening sockets that were bound before: by the process that runs already, or by
 * whoever started this one.  A listener takes what fits it; the rest is closed.
 *
 * A set goes from process to process over a unix socket, one message for each socket,
 * then one that says that it was the last.  docs/decisions/0013 has the reasons. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/status.h"

enum { SOCKET_LABEL_MAX = 128, SOCKET_SET_MAX = 65536 };

/* What the socket itself does not tell. */
struct socket_label {
	/* A unix socket's path, which it may not have been bound to; "fd@…" as its bind line
	 * has it; "": what getsockname(2) says. */
	char text[SOCKET_LABEL_MAX];
	uint64_t path_device,
		path_inode; /* of the path, when its file is to be removed at the end; inode 0: not */
};

struct socket_entry {
	int fd; /* -1: taken */
	bool has_number; /* fd@N may ask for it by the descriptor's number */
	struct socket_label label;
};

/* All zero is an empty set. */
struct socket_set {
	struct socket_entry *entries;
	unsigned count, room;
	char note[SOCKET_LABEL_MAX]; /* what the sender says of itself */
};

/* What a listener looks for. */
struct socket_wanted {
	const struct address *address; /* len 0: by label only */
	const char *label; /* as above; NULL: by address only */
	int number; /* of the descriptor; -1: none */
	const char *interface; /* NULL: bound to none */
	bool is_v6only, is_v4v6, is_transparent;
};

/* Takes fd over, also on failure.  A socket that is in the set already is not added
 * again: the new descriptor is closed.  Returns 0 or -errno. */
int socket_set_add(struct socket_set *set, int fd, const struct socket_label *label) MUST_USE;
/* The same with a duplicate of fd. */
int socket_set_add_copy(struct socket_set *set, int fd, const struct socket_label *label) MUST_USE;
/* The sockets that systemd passed (sd_listen_fds(3)) to this process or, with is_parent_meant, to
 * its parent, as "fd@NAME" and by number.  Returns 0 or -errno. */
int socket_set_add_passed(struct socket_set *set, bool is_parent_meant) MUST_USE;

/* Finds a socket bound as wanted, in this network namespace.  Returns it, the caller's from then
 * on, with its label, or -ENOENT. */
int socket_set_take(
	struct socket_set *set, const struct socket_wanted *wanted, struct socket_label *ret_label) MUST_USE;

/* Blocks until the other side has taken all, but no longer than a few seconds.  Returns 0 or -errno. */
int socket_set_send(const struct socket_set *set, int channel) MUST_USE;
/* One message.  Returns 1 (more will come), 0 (that was the last), -EAGAIN, -EPROTO (no message of
 * ours), -ECONNRESET (the other side has gone) or another -errno. */
int socket_set_receive_next(struct socket_set *set, int channel) MUST_USE;
/* All of them; blocks as long as socket_set_send() may.  Returns 0 or -errno. */
int socket_set_receive(struct socket_set *set, int channel) MUST_USE;

/* Removes the files of unix sockets whose file is in no entry of `kept` (NULL: of all). */
void socket_set_remove_files(const struct socket_set *set, const struct socket_set *kept);
/* Closes what was not taken.  The set is empty then. */
void socket_set_release(struct socket_set *set);
