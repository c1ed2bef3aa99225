/* on-marked-down and on-marked-up: every worker ends its sessions of a server, a
 * bounded number at a time. */
#include "worker/server_events.h"

#include <stdlib.h>

#include "base/log.h"

enum { SESSIONS_PER_JOB = 256 };

/* One job for each worker; freed on the control loop when the last is done. */
struct shutdown {
	const struct server *server;
	enum close_reason reason;
	unsigned pending; /* jobs under way; atomic, for the state may change on any thread */
	struct shutdown_job {
		struct worker_job job;
		struct shutdown *shutdown;
		uint64_t after_id;
	} jobs[];
};

static void shutdown_run(struct worker_job *job)
{
	struct shutdown_job *own = container_of(job, struct shutdown_job, job);
	const struct shutdown *shutdown = own->shutdown;
	job->again = !session_table_kill_server(
		&job->worker->sessions, shutdown->server, shutdown->reason, &own->after_id, SESSIONS_PER_JOB);
}

static void shutdown_put(struct shutdown *shutdown)
{
	if (__atomic_sub_fetch(&shutdown->pending, 1, __ATOMIC_ACQ_REL) == 0)
		free(shutdown);
}

static void shutdown_done(struct worker_job *job)
{
	shutdown_put(container_of(job, struct shutdown_job, job)->shutdown);
}

static void sessions_end(struct instance *instance, const struct server *server, enum close_reason reason)
{
	struct shutdown *shutdown =
		calloc(1, sizeof(*shutdown) + instance->workers_count * sizeof(shutdown->jobs[0]));
	if (shutdown == NULL) {
		log_event(LOG_LEVEL_WARNING, "sessions of server %s/%s stay: no memory left",
			server->backend->config->name, server->config->name);
		return;
	}
	shutdown->server = server;
	shutdown->reason = reason;
	/* One for each worker and one for us: there may be no worker that runs. */
	shutdown->pending = instance->workers_count + 1;
	for (unsigned i = 0; i < instance->workers_count; i++) {
		struct shutdown_job *own = &shutdown->jobs[i];
		own->shutdown = shutdown;
		own->job.run = shutdown_run;
		own->job.done = shutdown_done;
		worker_submit(&instance->workers[i], &own->job);
	}
	shutdown_put(shutdown);
}

static void backups_end(struct instance *instance, const struct backend *backend)
{
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct server *server = &backend->servers[i];
		if (server->config->is_backup && __atomic_load_n(&server->conn_cur, __ATOMIC_RELAXED) > 0)
			sessions_end(instance, server, CLOSE_SERVER_UP);
	}
}

/* Servers with checks of their own are logged with the reason, by check/. */
static void change_log(const struct server *server, enum server_event event)
{
	const struct backend *backend = server->backend;
	const struct server *followed = server->followed;
	if (followed != NULL)
		log_event(event == SERVER_WENT_AWAY ? LOG_LEVEL_ALERT : LOG_LEVEL_NOTICE,
			"Server %s/%s is %s via %s/%s.", backend->config->name, server->config->name,
			event == SERVER_WENT_AWAY ? "DOWN" : "UP", followed->backend->config->name,
			followed->config->name);
	if (event == SERVER_WENT_AWAY && !backend_has_usable(backend))
		log_event(LOG_LEVEL_ALERT, "backend %s has no server available!", backend->config->name);
}

static void on_server_event(struct server *server, enum server_event event, void *context)
{
	struct instance *instance = context;
	const struct config_server *config = server->config;
	change_log(server, event);
	switch (event) {
	case SERVER_WENT_AWAY:
		if (config->has_shutdown_on_down)
			sessions_end(instance, server, CLOSE_SERVER_DOWN);
		return;
	case SERVER_CAME_BACK:
		if (config->has_backup_shutdown_on_up && !config->is_backup && server_is_usable(server))
			backups_end(instance, server->backend);
		return;
	}
}

static void on_tick(struct loop_timer *timer)
{
	struct instance *instance = container_of(timer, struct instance, tick_timer);
	for (struct backend *backend = instance->backends; backend != NULL; backend = backend->next)
		backend_tick(backend);
	loop_timer_set(
		instance->control_loop, timer, loop_now_ms(instance->control_loop) + instance->tick_ms);
}

void server_events_watch(struct instance *instance)
{
	loop_timer_init(&instance->tick_timer, on_tick);
	instance->tick_ms = 0;
	for (struct backend *backend = instance->backends; backend != NULL; backend = backend->next) {
		uint32_t tick_ms = backend_tick_ms(backend);
		backend->on_server_event = on_server_event;
		backend->event_context = instance;
		if (tick_ms != 0 && (instance->tick_ms == 0 || tick_ms < instance->tick_ms))
			instance->tick_ms = tick_ms;
	}
	if (instance->tick_ms != 0)
		loop_timer_set(instance->control_loop, &instance->tick_timer,
			loop_now_ms(instance->control_loop) + instance->tick_ms);
}

void server_events_unwatch(struct instance *instance)
{
	loop_timer_cancel(instance->control_loop, &instance->tick_timer);
	for (struct backend *backend = instance->backends; backend != NULL; backend = backend->next)
		backend->on_server_event = NULL;
}
