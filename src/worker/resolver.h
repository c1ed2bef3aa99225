/* Names of servers are asked for again and again, by c-ares on the control loop.  What a
 * name has become is written to the server; connections that there are do not notice. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "config/config.h"
#include "loop/loop.h"

enum name_status { NAME_UNASKED, NAME_VALID, NAME_NX, NAME_REFUSED, NAME_TIMEOUT, NAME_OTHER, NAME_STATUSES };

/* One server's name. */
struct resolver_name {
	struct resolver_name *next;
	struct resolver *resolver;
	struct server *server;
	struct loop_timer timer; /* until it is asked for again */
	enum name_status status;
	uint64_t valid_ms; /* when the last valid answer came, or the start */
	uint64_t seen_ms; /* when an answer last had the address in use */
	uint64_t asked, changed; /* questions; new addresses */
	uint64_t answers[NAME_STATUSES];
	bool is_asking;
};

struct resolver;

/* One for each 'resolvers' section that servers of these backends name.  Reports by
 * log_event; returns 0 or -errno. */
int resolvers_create(struct loop *loop, const struct config *config, struct backend *backends,
	struct resolver **ret_first) MUST_USE;
/* Asks for every name once; answers come on the loop. */
void resolvers_start(struct resolver *first);
/* NULL is allowed. */
void resolvers_destroy(struct resolver *first);

struct resolver *resolver_next(const struct resolver *resolver);
const struct config_resolvers *resolver_config(const struct resolver *resolver);
const struct resolver_name *resolver_names(const struct resolver *resolver);
const char *name_status_text(enum name_status status);
