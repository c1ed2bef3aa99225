/* One client of the runtime socket. */
#pragma once

#include "admin/command.h"

struct runtime_client;

struct runtime_client_options {
	struct admin *admin;
	int fd; /* taken over */
	enum config_runtime_level level;
	bool can_take_sockets;
	const char *line; /* what it has sent already, without a newline; NULL: nothing */
	uint32_t timeout_ms;
	/* The client is gone and its memory goes at the end of this pass; runs once,
	 * not for runtime_client_destroy(). */
	void (*on_gone)(void *context, struct runtime_client *client);
	void *context;
};

/* Returns 0 or -errno; the fd is closed then. */
int runtime_client_create(
	const struct runtime_client_options *options, struct runtime_client **ret_client) MUST_USE;
/* At once; not from a callback of the loop. */
void runtime_client_destroy(struct runtime_client *client);

/* For the server's list. */
struct list *runtime_client_node(struct runtime_client *client);
struct runtime_client *runtime_client_of(struct list *node);
