/* What the files of this folder tell only each other. */
#pragma once

#include "net/listener.h"

/* Closes the sockets and frees the frontend's listeners. */
void listener_destroy_all(struct frontend *frontend);

/* The socket file of a listener, made under a name of its own and renamed into place
 * when it listens, so that a path always leads to a socket that answers. */
struct socket_path {
	const char *final; /* the configured path */
	struct address temporary; /* what to bind to */
	const char *complaint; /* set on failure: what could not be done, in words */
};

/* Refuses (-EEXIST) a path at which something else than a socket is. */
int socket_path_prepare(struct socket_path *path, const struct address *address) MUST_USE;
/* After bind: owner and mode. */
int socket_path_own(struct socket_path *path, const struct config_bind *config) MUST_USE;
/* After listen: takes the final name over and remembers the file in the listener. */
int socket_path_publish(struct socket_path *path, struct listener *listener) MUST_USE;
/* Removes the temporary file of a failed opening. */
void socket_path_abandon(const struct socket_path *path);
/* Removes the file if it is still the one published by this listener. */
void socket_path_remove(struct listener *listener);
