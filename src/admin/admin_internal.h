/* What the files of this folder share. */
#pragma once

#include "admin/admin.h"
#include "admin/sampler.h"
#include "admin/stat_object.h"

struct runtime_server;
struct metrics_server;

struct admin {
	struct instance *instance;
	struct loop *loop;
	const struct config_global *global;
	struct stat_objects objects;
	struct sampler sampler;
	struct runtime_server *runtime;
	struct metrics_server *metrics; /* NULL: no metrics bind */
	uint32_t maxconn_initial; /* what `set maxconn global 0` returns to */
};

/* admin_socket.c: listens at an address; a unix socket appears under its path
 * only when it is ready and has its mode and owner. */
struct admin_socket {
	int fd; /* -1: closed */
	struct address address;
	uint64_t path_device, path_inode; /* of our file, inode 0: none */
};

struct admin_socket_options {
	struct address address;
	int mode, uid, gid; /* -1: unchanged */
	struct socket_set *bound_before; /* where to look first, unless it has a path; NULL: nowhere */
};

/* Returns 0 or -errno with nothing left behind. */
int admin_socket_open(const struct admin_socket_options *options, struct admin_socket *ret_socket) MUST_USE;
/* Adds a duplicate to the set, unless it has a path: a successor gets that by renaming.
 * Returns 0 or -errno. */
int admin_socket_offer(const struct admin_socket *listening, struct socket_set *set) MUST_USE;
/* Removes the path too if it is still ours. */
void admin_socket_close(struct admin_socket *listening);
