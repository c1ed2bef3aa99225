/* A rig for tests of the socket relay: client - source, target - server, and a line between
 * source and target.  Bytes are a pattern of their place: seed 1 from the client, 2 from the
 * server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib_sockmap.h"
#include "lib_sockmap_peer.h"

enum { RIG_WAIT_MS = 3000, RIG_TO_SERVER = 1, RIG_TO_CLIENT = 2 };

struct rig_options {
	unsigned rules_off; /* enum sockmap_rule */
	unsigned line_rules_off; /* enum line_rule */
};

struct rig {
	struct sockmap_table *table;
	int client, source, target, server;
	struct line line;
	bool is_open;
};

/* As cmocka's group setup. */
int rig_setup(void **state);
/* Skips the calling test where nothing can be tried. */
void rig_need(void);

/* A table of one pair, two connections, a line that has not entered.  NULL, or why not. */
const char *rig_open(struct rig *rig, const struct rig_options *options);
/* The same with a source that is there already. */
const char *rig_open_source(struct rig *rig, const struct rig_options *options, int source);
void rig_close(struct rig *rig);

/* Sends bytes `from` to `to`, stepping the line as long as the socket takes none. */
const char *rig_send(struct rig *rig, int fd, uint64_t from, uint64_t to);
/* Steps the line until exactly these bytes have come. */
const char *rig_expect(struct rig *rig, int fd, uint64_t from, uint64_t to);
/* Steps the line until the end comes, and nothing before. */
const char *rig_expect_end(struct rig *rig, int fd);
/* Steps the line until its way is in that state. */
const char *rig_expect_state(struct rig *rig, unsigned way, enum line_state state);
/* Both ways redirect. */
const char *rig_enter(struct rig *rig);
/* Steps until both have all of the other and the line is over.  NULL, or what is wrong. */
const char *rig_transfer(struct rig *rig, struct peer peers[2], unsigned timeout_ms);

/* Puts the calling thread on one processor, before everything else there, so that kernel
 * workers of that processor wait while it runs.  False where that is not allowed. */
bool rig_hold_processor(bool is_held);
