/* A running frontend: its listeners, limits, state and counters.  Shared by all
 * workers; gauges are atomics, counters one block per worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "config/config.h"
#include "metrics/counters.h"
#include "metrics/rate_meter.h"

struct backend;
struct log_format;
struct socket_set;

enum frontend_state {
	FRONTEND_OPEN,
	FRONTEND_PAUSED, /* `disable frontend`: listening sockets kept, nothing accepted */
	FRONTEND_STOPPED, /* `shutdown frontend`, soft stop: sockets closed for good */
};

struct frontend {
	const struct config_proxy *config;
	struct backend *default_backend; /* set by the owner; NULL: none */
	struct log_format *log_format; /* compiled; set by the owner */
	struct socket_set
		*bound_before; /* sockets to take before any is bound; set by the owner; NULL: none */
	struct listener *listeners;
	unsigned workers;
	struct traffic_counters *counters; /* [workers] */
	uint32_t conn_cur; /* gauge, atomic */
	uint32_t conn_max; /* highest gauge seen */
	uint32_t maxconn; /* in force, `set maxconn frontend` changes it */
	enum frontend_state state; /* atomic */
	struct rate_meter rate;
	uint32_t rate_max;
	struct frontend *next;
};

/* maxconn_default serves when the config gives none.  Returns 0 or -errno. */
int frontend_create(const struct config_proxy *config, unsigned workers, uint32_t maxconn_default,
	struct frontend **ret_frontend) MUST_USE;
/* Closes what listens still and frees the listeners too.  NULL is allowed. */
void frontend_destroy(struct frontend *frontend);
void frontend_counters(const struct frontend *frontend, struct traffic_counters *ret_total);
