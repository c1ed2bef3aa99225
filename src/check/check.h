/* Health checks and agents of all servers: when they run, what their results do to the
 * servers, and what statistics show of them.  All on the control thread, which is the
 * one of the loop given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "config/config.h"
#include "loop/loop.h"

struct checks;

/* Descriptors that checks may need at a time. */
unsigned checks_count(const struct config *config);

/* Makes a check for every server that is to have one, in the list of backends that
 * begins here; runs nothing.  A server with a check counts as checked, and is up.
 * The backends must outlive it, and the configuration.  Returns 0 or -ENOMEM. */
int checks_create(struct backend *first, const struct config *config, struct loop *loop,
	struct checks **ret_checks) MUST_USE;
/* The first checks follow, spread over their interval. */
void checks_start(struct checks *checks);
/* No worker may use the backends any more, and messages to the loop have been run. */
void checks_destroy(struct checks *checks);

enum check_kind { CHECK_HEALTH, CHECK_AGENT };

/* The operator's.  Servers without checks are understood too. */

/* Like server_set_admin(); checks rest in maintenance, and begin anew after it. */
void check_set_admin(struct server *server, enum server_admin admin);
enum check_forced { CHECK_FORCED_DOWN, CHECK_FORCED_STOPPING, CHECK_FORCED_UP };
void check_force_health(struct server *server, enum check_forced forced);
/* As if the agent had said so. */
void check_force_agent(struct server *server, bool is_up);
/* A server whose checks are switched off is up.  -ENOENT: it has no such check. */
int check_enable(struct server *server, enum check_kind kind, bool is_enabled) MUST_USE;

/* What is known, for reports; text lives until the next result. */
struct check_view {
	bool is_enabled, is_running, is_paused;
	enum check_status status;
	unsigned code;
	uint32_t duration_ms;
	const char *text;
	unsigned rise, fall, value;
	uint64_t failed; /* while it was up */
};
/* False: the server has no such check. */
bool check_view(const struct server *server, enum check_kind kind, struct check_view *ret_view);
/* server_state_name(), with how far a change has come: "UP 2/3", "DOWN 1/2". */
void check_state_print(const struct server *server, char *ret_text, size_t size);
