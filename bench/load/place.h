/* Where a load goes to and where a server listens: an address and, if asked for,
 * a network namespace. */
#pragma once

#include "base/address.h"

enum { PLACE_TEXT_MAX = 160 };

struct place {
	struct address address;
	char netns[128]; /* empty: our own */
};

/* "ADDR:PORT", "[IPv6]:PORT" or "/path", each with "@NETNS" when is_netns_allowed.
 * Returns 0, or -EINVAL with *ret_reason set to a static sentence. */
int place_parse(
	const char *text, bool is_netns_allowed, struct place *ret_place, const char **ret_reason) MUST_USE;
void place_print(const struct place *place, char ret_text[PLACE_TEXT_MAX]);
/* A listening socket in the place's namespace; the calling thread is back in its
 * own afterwards.  A stale unix socket is replaced.  Returns the fd or a negative
 * errno, with *ret_what naming what was refused. */
int place_listen(const struct place *place, const char **ret_what) MUST_USE;
/* A non-blocking socket that connects, or is connected.  Returns the fd or a negative errno
 * (-EAGAIN: a unix socket's backlog is full, to be tried again). */
int place_connect(const struct place *place) MUST_USE;
/* Removes a unix socket that place_listen() made. */
void place_forget(const struct place *place);
/* The address a listener got, where port 0 was asked for. */
int place_learn(int listener, struct place *place) MUST_USE;
