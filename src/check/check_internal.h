/* What the files of this folder tell only each other. */
#pragma once

#include "check/check.h"
#include "check/health.h"
#include "check/probe.h"

/* What health checks and agents have in common: runs, again and again. */
struct check_run {
	struct check *check;
	struct loop_timer timer;
	struct probe probe;
	struct probe_target target;
	struct health health;
	struct probe_result last;
	bool is_configured, is_enabled;
	uint64_t failed;
};

struct check {
	struct checks *checks;
	struct server *server;
	struct check_run run, agent;
	struct config_check_step greeting, line; /* the agent's steps */
	bool is_up, is_stopping; /* as told to the server */
	bool is_forced_stopping; /* by the operator, until the next result */
	struct loop_message observed; /* from workers */
	bool is_posted; /* atomic: it is on its way */
	uint64_t ejected_until_ms; /* 0: it is not */
	uint64_t ejected_ms; /* the last time, for so long */
	uint64_t returned_ms; /* from the last time; 0: there was none */
};

struct checks {
	struct loop *loop;
	const struct config_global *global;
	unsigned count;
	uint64_t chance; /* changes with every draw */
	struct check list[];
};

/* eject.c: takes the server out for a time, if its backend can spare it; text: why. */
bool check_eject(struct check *check, struct probe_result *result);
/* The time is over, or something else has decided. */
void check_eject_end(struct check *check);

/* checks.c: where the next run goes. */
void check_target_follow(struct check_run *run);

/* agent.c: what the agent has answered. */
void agent_apply(struct check *check, const struct probe *probe);

/* check.c: timers, probes and messages of a check that is filled in. */
void check_prepare(struct check *check);
void check_schedule(struct check_run *run, uint32_t delay_ms);
void check_stop(struct check_run *run);
void check_on_server_errors(struct server *server);
/* Brings the server to what is known of it now; cause: for the log. */
void check_settle(struct check *check, const struct probe_result *cause);

/* check_log.c */
void check_log_change(const struct server *server, const struct probe_result *cause);
void check_log_result(const struct check *check, const struct check_run *run);
