/* A client's connection: connects, says hello, moves what its workload allows,
 * ends with a half-close and reads the server's verdict. */
#pragma once

#include "worker.h"

enum client_state {
	CLIENT_CLOSED,
	CLIENT_CONNECTING,
	CLIENT_UP,
	CLIENT_DRAINING, /* nothing more goes out; reading to the verdict */
};

struct client {
	struct end end;
	enum client_state state;
	bool is_ready; /* told to the worker */
	bool is_finishing; /* half-closes when all is sent */
	unsigned index; /* in the whole run */
	struct flow_out out;
	struct flow_in in;
	uint64_t opened_ns; /* when it was first tried to connect; 0: it was not since the last close */
	uint64_t serial; /* how often it was opened */
	/* Messages so far: due, their first byte sent, answered. */
	uint64_t asked, begun, answered;
	struct list pending;
};

void client_init(struct client *client, unsigned index);
/* Begins to connect.  Returns 0, -EAGAIN when it cannot now but may later, or another
 * negative errno after it was counted as an error. */
int client_open(struct worker *worker, struct client *client) MUST_USE;
/* Does what the socket allows, once. */
void client_step(struct worker *worker, struct client *client);
/* All that was wanted is done: half-closes and waits for the verdict, or closes when half-close is off. */
void client_finish(struct worker *worker, struct client *client);
/* Closes at once; is_reset: by a reset. */
void client_close(struct worker *worker, struct client *client, bool is_reset);
/* Counts the error and closes. */
void client_fail(struct worker *worker, struct client *client, enum load_error error);
/* More may go out: raises the limit and wakes it. */
void client_allow(struct worker *worker, struct client *client, uint64_t limit);
