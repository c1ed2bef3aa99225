/* Building, starting, stopping what a configuration describes. */

#include "worker/instance.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "check/check.h"
#include "log/log_format.h"
#include "net/congestion.h"
#include "net/source_address.h"
#include "worker/instance_sockmap.h"
#include "worker/instance_wire.h"
#include "worker/resolver.h"
#include "worker/server_events.h"

enum {
	FDS_RESERVED = 128, /* logs, runtime clients, metrics, loops */
	FDS_PER_WORKER = 8,
	FDS_PER_SOCKMAP = 20, /* programs, tables and links of a worker */
	FDS_PER_SESSION = 2,
	PIPES_MAX_DEFAULT = 512,
	MAXCONN_FALLBACK = 2000,
};
static const uint64_t HELD_BYTES_DEFAULT = UINT64_C(512) << 20;

/* --- limits --- */

static unsigned cpus_allowed(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	int count = CPU_COUNT(&set);
	return count > 0 ? (unsigned)count : 1;
}

static unsigned long fds_fixed(const struct instance *instance)
{
	unsigned long count = FDS_RESERVED + (unsigned long)FDS_PER_WORKER * instance->workers_count;
	count += checks_count(instance->config);
	if (instance_sockmap_is_wanted(instance->config))
		count += (unsigned long)FDS_PER_SOCKMAP * instance->workers_count;
	for (const struct config_proxy *proxy = instance->config->proxies; proxy != NULL;
		proxy = proxy->next) {
		for (const struct config_bind *bind = proxy->binds; bind != NULL; bind = bind->next)
			count += instance->workers_count;
	}
	return count;
}

/* maxconn given: descriptors are asked for accordingly.  Not given: as many
 * connections as the descriptors allow. */
static void limits_derive(struct instance *instance)
{
	const struct config_global *global = &instance->config->global;
	unsigned long fixed = fds_fixed(instance);
	instance->pipes_max = global->maxpipes != 0 ? global->maxpipes : PIPES_MAX_DEFAULT;
	instance->held_bytes_max = global->held_bytes_max != 0 ? global->held_bytes_max : HELD_BYTES_DEFAULT;
	/* Below two buffers a worker could not read at all. */
	uint64_t held_bytes_min = UINT64_C(2) * global->buffer_bytes * instance->workers_count;
	if (instance->held_bytes_max < held_bytes_min) {
		log_event(LOG_LEVEL_WARNING,
			"relay-tuning memory-max is raised to %llu, two buffers a thread.",
			(unsigned long long)held_bytes_min);
		instance->held_bytes_max = held_bytes_min;
	}
	unsigned long wanted = global->ulimit_n;
	if (wanted == 0 && global->maxconn != 0)
		wanted = fixed + (unsigned long)FDS_PER_SESSION * global->maxconn + 2ul * instance->pipes_max;
	if (wanted != 0 && global->ulimit_n == 0 && instance_wire_is_wanted(instance->config))
		wanted += FDS_PER_SESSION * (global->maxconn / 2);
	instance->fd_limit = fd_limit_raise(wanted);
	if (global->maxconn != 0) {
		instance->limits.maxconn = global->maxconn;
		if (wanted > instance->fd_limit)
			log_event(LOG_LEVEL_WARNING,
				"maxconn %u needs %lu file descriptors and the limit is %lu: raise it (ulimit -n) or lower maxconn.",
				global->maxconn, wanted, instance->fd_limit);
		return;
	}
	unsigned long room = instance->fd_limit > fixed ? instance->fd_limit - fixed : 0;
	unsigned long pipes = 2ul * instance->pipes_max;
	if (pipes > room / 8) {
		pipes = room / 8;
		instance->pipes_max = (uint32_t)(pipes / 2);
	}
	/* Spliced connections that linger keep theirs: half as many as there may be open ones. */
	unsigned long each = FDS_PER_SESSION + (instance_wire_is_wanted(instance->config) ? 1 : 0);
	unsigned long sessions = (room - pipes) / each;
	instance->limits.maxconn = sessions > 0 ? (uint32_t)sessions : MAXCONN_FALLBACK;
}

/* --- the loops' back end --- */

static bool is_ring_relayed(const struct config *config)
{
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next) {
		if (proxy->relay != NULL && strcmp(proxy->relay, "uring") == 0)
			return true;
	}
	return false;
}

static bool is_ring_wanted(const struct config *config)
{
	if (strcmp(config->global.loop, "auto") != 0)
		return strcmp(config->global.loop, "uring") == 0;
	return is_ring_relayed(config);
}

/* The loops of the workers; the control thread's own may be carried over into another
 * process by -D, which a ring may not. */
static void loop_choose(struct instance *instance)
{
	instance->loop_name = "epoll";
	if (!is_ring_wanted(instance->config)) {
		if (is_ring_relayed(instance->config))
			log_event(LOG_LEVEL_WARNING,
				"relay uring needs loop uring, and the configuration says 'loop epoll': copy serves in its place.");
		return;
	}
	const char *reason = loop_backend_unavailable("uring");
	if (reason == NULL)
		instance->loop_name = "uring";
	else
		log_event(LOG_LEVEL_WARNING, "loop uring cannot be had, epoll serves: %s.", reason);
}

/* --- proxies --- */

static int backend_add(struct instance *instance, const struct config_proxy *config, struct backend ***tail)
{
	int result = backend_create(config, instance->workers_count, *tail);
	if (result < 0)
		return result;
	*tail = &(**tail)->next;
	return 0;
}

static struct backend *backend_of(const struct instance *instance, const struct config_proxy *config)
{
	for (struct backend *backend = instance->backends; backend != NULL; backend = backend->next) {
		if (backend->config == config)
			return backend;
	}
	return NULL;
}

/* Where connections go that no condition sends elsewhere; a first use_backend without
 * one decides for all. */
static const struct config_proxy *backend_config_of(const struct config_proxy *frontend)
{
	const struct config_use_backend *use = frontend->rules.use_backends;
	if (use != NULL && use->condition == NULL && use->parts == NULL)
		return use->backend;
	if (frontend->default_backend != NULL)
		return frontend->default_backend;
	return frontend->roles & CONFIG_ROLE_BACKEND ? frontend : NULL;
}

static int log_format_make(const struct config_proxy *config, struct log_format **ret_format)
{
	char reason[256];
	const char *format = config->log_format != NULL ? config->log_format : log_format_default;
	int result = log_format_compile(format, ret_format, reason, sizeof(reason));
	if (result < 0)
		log_event(LOG_LEVEL_ALERT, "config : [%s:%u] : log-format of '%s': %s", config->place.file,
			config->place.line, config->name, reason);
	return result;
}

int instance_config_check(const struct config *config)
{
	int result = 0;
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next) {
		struct log_format *format = NULL;
		if ((proxy->roles & CONFIG_ROLE_FRONTEND) && log_format_make(proxy, &format) < 0)
			result = -EINVAL;
		log_format_destroy(format);
	}
	return result;
}

static int frontend_add(struct instance *instance, const struct config_proxy *config, struct frontend ***tail)
{
	char reason[512];
	int result = frontend_create(config, instance->workers_count, instance->limits.maxconn, *tail);
	if (result < 0)
		return result;
	struct frontend *frontend = **tail;
	*tail = &frontend->next;
	const struct config_proxy *backend = backend_config_of(config);
	if (backend != NULL)
		frontend->default_backend = backend_of(instance, backend);
	result = log_format_make(config, &frontend->log_format);
	if (result < 0)
		return result;
	frontend->bound_before = instance->bound_before;
	result = listener_open_all(frontend, &instance->config->global, reason, sizeof(reason));
	if (result < 0)
		log_event(LOG_LEVEL_ALERT, "Starting frontend %s: %s", config->name, reason);
	return result;
}

/* Every listener is tried, so that one start tells all that is wrong. */
static int proxies_add(struct instance *instance)
{
	struct backend **backend_tail = &instance->backends;
	struct frontend **frontend_tail = &instance->frontends;
	int result = 0;
	for (const struct config_proxy *proxy = instance->config->proxies; proxy != NULL;
		proxy = proxy->next) {
		if ((proxy->roles & CONFIG_ROLE_BACKEND) && !proxy->is_disabled && result == 0)
			result = backend_add(instance, proxy, &backend_tail);
	}
	if (result == 0)
		backends_link_tracking(instance->backends);
	for (const struct config_proxy *proxy = instance->config->proxies; proxy != NULL;
		proxy = proxy->next) {
		if (!(proxy->roles & CONFIG_ROLE_FRONTEND) || proxy->is_disabled)
			continue;
		int opened = frontend_add(instance, proxy, &frontend_tail);
		if (opened < 0)
			result = opened;
	}
	return result;
}

/* --- events of the process go to the global log targets too --- */

static void event_sink(void *context, enum log_level level, const char *message)
{
	struct instance *instance = context;
	const struct config_global *global = &instance->config->global;
	if (global->logs == NULL || instance->event_ring == NULL)
		return;
	pthread_mutex_lock(&instance->event_lock);
	const struct log_message line = {.targets = global->logs,
		.level = level,
		.tag = global->log_tag,
		.text = message,
		.len = strlen(message)};
	log_ring_write(instance->event_ring, &line);
	pthread_mutex_unlock(&instance->event_lock);
}

/* --- life --- */

static struct accept_change *change_create(
	struct instance *instance, struct frontend *frontend, enum frontend_state state);

static int workers_init(struct instance *instance)
{
	instance->stop_change = change_create(instance, NULL, FRONTEND_STOPPED);
	if (instance->stop_change == NULL)
		return -ENOMEM;
	instance->workers = calloc(instance->workers_count, sizeof(*instance->workers));
	if (instance->workers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < instance->workers_count; i++) {
		int result = worker_init(&instance->workers[i], instance, i);
		if (result < 0) {
			log_event(LOG_LEVEL_ALERT, "worker %u cannot be made: %s", i + 1, strerror(-result));
			return result;
		}
	}
	return 0;
}

static int instance_build(struct instance *instance)
{
	limits_derive(instance);
	loop_choose(instance);
	int result =
		log_sender_create(instance->control_loop, &instance->config->global, &instance->log_sender);
	if (result < 0)
		return result;
	instance->event_ring = log_ring_add(instance->log_sender);
	instance_wire_create(instance);
	instance_sockmap_create(instance);
	result = proxies_add(instance);
	if (result == 0)
		result = resolvers_create(
			instance->control_loop, instance->config, instance->backends, &instance->resolvers);
	if (result < 0)
		return result;
	result = checks_create(
		instance->backends, instance->config, instance->control_loop, &instance->checks);
	if (result < 0)
		return result;
	result = session_routes_init(
		&instance->routes, instance->config, instance->frontends, instance->backends);
	if (result < 0)
		return result;
	return workers_init(instance);
}

int instance_create(const struct config *config, struct loop *control_loop, struct socket_set *bound_before,
	struct instance **ret_instance)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (instance == NULL)
		return -ENOMEM;
	instance->config = config;
	instance->control_loop = control_loop;
	instance->bound_before = bound_before;
	instance->workers_count = config->global.nbthread != 0 ? config->global.nbthread : cpus_allowed();
	if (instance->workers_count > WORKERS_MAX)
		instance->workers_count = WORKERS_MAX;
	instance->started_wall_us = clock_wall_us();
	instance->started_ms = clock_monotonic_ms();
	pthread_mutex_init(&instance->event_lock, NULL);
	source_ports_learn();
	int result = instance_build(instance);
	if (result < 0) {
		instance_destroy(instance);
		return result;
	}
	log_set_sink(event_sink, instance);
	*ret_instance = instance;
	return 0;
}

/* With the rights that the workers will have. */
static int server_prepare(struct server *server)
{
	const struct config_server *config = server->config;
	int result = config->congestion != NULL ? congestion_check(config->congestion) : 0;
	if (result < 0)
		log_event(LOG_LEVEL_ALERT,
			"config : [%s:%u] : server '%s': cannot use the congestion control '%s' (%s)",
			config->place.file, config->place.line, config->name, config->congestion,
			strerror(-result));
	server->congestion = congestion_choose(config->congestion, &config->address);
	int allowed = source_usesrc_check(&config->source);
	if (allowed < 0)
		log_event(LOG_LEVEL_ALERT,
			"config : [%s:%u] : server '%s': 'usesrc' cannot be used (%s); it needs the capability CAP_NET_ADMIN or CAP_NET_RAW, which a change of user takes away",
			config->place.file, config->place.line, config->name, strerror(-allowed));
	return result < 0 ? result : allowed;
}

static int servers_prepare(struct instance *instance)
{
	int result = 0;
	for (struct backend *backend = instance->backends; backend != NULL; backend = backend->next) {
		for (unsigned i = 0; i < backend->servers_count; i++) {
			int prepared = server_prepare(&backend->servers[i]);
			if (prepared < 0)
				result = prepared;
		}
	}
	return result;
}

int instance_start(struct instance *instance)
{
	int prepared = servers_prepare(instance);
	if (prepared < 0)
		return prepared;
	int started = instance_wire_start(instance);
	if (started < 0)
		return started;
	server_events_watch(instance);
	resolvers_start(instance->resolvers);
	checks_start(instance->checks);
	for (unsigned i = 0; i < instance->workers_count; i++) {
		int result = worker_start(&instance->workers[i]);
		if (result < 0) {
			log_event(
				LOG_LEVEL_ALERT, "worker %u cannot be started: %s", i + 1, strerror(-result));
			return result;
		}
	}
	instance_own_files(instance, true);
	return 0;
}

/* --- states of frontends --- */

/* One job for each worker, so that once it is made nothing can fail. */
struct accept_change {
	struct instance *instance;
	struct frontend *frontend; /* NULL: all */
	enum frontend_state state; /* what it was made for */
	unsigned pending; /* jobs still under way */
	struct accept_job {
		struct worker_job job;
		struct accept_change *change;
	} jobs[];
};

static void accept_run(struct worker_job *job)
{
	const struct accept_change *change = container_of(job, struct accept_job, job)->change;
	worker_accept_set(job->worker, change->frontend, true);
}

/* Every worker has seen the frontends of this change stopped, for good, and watches
 * their sockets no more: now they may be closed.  Nothing is known of the others. */
static void sockets_close(const struct accept_change *change)
{
	if (change->frontend != NULL) {
		listener_close_all(change->frontend);
		return;
	}
	for (struct frontend *frontend = change->instance->frontends; frontend != NULL;
		frontend = frontend->next)
		listener_close_all(frontend);
}

static void change_put(struct accept_change *change)
{
	if (--change->pending > 0)
		return;
	if (change->state == FRONTEND_STOPPED)
		sockets_close(change);
	free(change);
}

static void accept_done(struct worker_job *job)
{
	change_put(container_of(job, struct accept_job, job)->change);
}

static struct accept_change *change_create(
	struct instance *instance, struct frontend *frontend, enum frontend_state state)
{
	struct accept_change *change =
		calloc(1, sizeof(*change) + instance->workers_count * sizeof(change->jobs[0]));
	if (change == NULL)
		return NULL;
	change->instance = instance;
	change->frontend = frontend;
	change->state = state;
	return change;
}

/* Every worker's acceptors follow the frontends' states.  The change is freed in the end. */
static void workers_follow(struct accept_change *change)
{
	struct instance *instance = change->instance;
	/* One for each worker and one for us: there may be no worker (in tests). */
	change->pending = instance->workers_count + 1;
	for (unsigned i = 0; i < instance->workers_count; i++) {
		struct accept_job *job = &change->jobs[i];
		job->change = change;
		job->job.run = accept_run;
		job->job.done = accept_done;
		worker_submit(&instance->workers[i], &job->job);
	}
	change_put(change);
}

int instance_frontend_set_state(
	struct instance *instance, struct frontend *frontend, enum frontend_state state)
{
	if (__atomic_load_n(&frontend->state, __ATOMIC_ACQUIRE) == FRONTEND_STOPPED)
		return 0;
	struct accept_change *change = change_create(instance, frontend, state);
	if (change == NULL) {
		log_event(LOG_LEVEL_ALERT, "frontend %s stays as it is: %s", frontend->config->name,
			strerror(ENOMEM));
		return -ENOMEM;
	}
	__atomic_store_n(&frontend->state, state, __ATOMIC_RELEASE);
	workers_follow(change);
	return 0;
}

/* --- the end --- */

enum { STOP_POLL_MS = 50 };

static void on_stop_timer(struct loop_timer *timer)
{
	struct instance *instance = container_of(timer, struct instance, stop_timer);
	if (__atomic_load_n(&instance->limits.conn_cur, __ATOMIC_ACQUIRE) > 0) {
		loop_timer_set(
			instance->control_loop, timer, loop_now_ms(instance->control_loop) + STOP_POLL_MS);
		return;
	}
	instance->state = INSTANCE_STOPPED;
	if (instance->on_stopped != NULL)
		instance->on_stopped(instance);
}

void instance_soft_stop(struct instance *instance)
{
	if (instance->state != INSTANCE_RUNNING)
		return;
	instance->state = INSTANCE_SOFT_STOPPING;
	for (struct frontend *frontend = instance->frontends; frontend != NULL; frontend = frontend->next)
		__atomic_store_n(&frontend->state, FRONTEND_STOPPED, __ATOMIC_RELEASE);
	workers_follow(instance->stop_change);
	instance->stop_change = NULL;
	loop_timer_init(&instance->stop_timer, on_stop_timer);
	loop_timer_set(instance->control_loop, &instance->stop_timer,
		loop_now_ms(instance->control_loop) + STOP_POLL_MS);
}

void instance_stop(struct instance *instance)
{
	for (unsigned i = 0; instance->workers != NULL && i < instance->workers_count; i++)
		worker_stop(&instance->workers[i]);
	instance_wire_stop(instance);
	instance->state = INSTANCE_STOPPED;
}

static void proxies_destroy(struct instance *instance)
{
	while (instance->frontends != NULL) {
		struct frontend *frontend = instance->frontends;
		instance->frontends = frontend->next;
		listener_close_all(frontend);
		log_format_destroy(frontend->log_format);
		frontend_destroy(frontend);
	}
	while (instance->backends != NULL) {
		struct backend *backend = instance->backends;
		instance->backends = backend->next;
		backend_destroy(backend);
	}
}

void instance_destroy(struct instance *instance)
{
	if (instance == NULL)
		return;
	loop_timer_cancel(instance->control_loop, &instance->stop_timer);
	server_events_unwatch(instance);
	resolvers_destroy(instance->resolvers);
	for (unsigned i = 0; instance->workers != NULL && i < instance->workers_count; i++)
		worker_release(&instance->workers[i]);
	free(instance->workers);
	instance_wire_destroy(instance);
	instance_sockmap_destroy(instance);
	free(instance->stop_change);
	/* Jobs that came back while the workers ended are run, so that their memory goes. */
	loop_run_once(instance->control_loop, 0);
	checks_destroy(instance->checks);
	log_set_sink(NULL, NULL);
	log_sender_destroy(instance->log_sender);
	session_routes_release(&instance->routes);
	proxies_destroy(instance);
	pthread_mutex_destroy(&instance->event_lock);
	free(instance);
}

/* --- for other processes --- */

int instance_sockets_offer(const struct instance *instance, struct socket_set *set)
{
	for (const struct frontend *frontend = instance->frontends; frontend != NULL;
		frontend = frontend->next) {
		for (const struct listener *listener = frontend->listeners; listener != NULL;
			listener = listener->next) {
			int error = listener_offer(listener, set);
			if (error < 0)
				return error;
		}
	}
	return 0;
}

void instance_own_files(struct instance *instance, bool are_ours)
{
	for (struct frontend *frontend = instance->frontends; frontend != NULL; frontend = frontend->next) {
		for (struct listener *listener = frontend->listeners; listener != NULL;
			listener = listener->next)
			listener_own_file(listener, are_ours);
	}
}

/* --- by name --- */

struct frontend *instance_frontend_find(const struct instance *instance, const char *name)
{
	struct frontend *frontend = instance->frontends;
	while (frontend != NULL && strcmp(frontend->config->name, name) != 0)
		frontend = frontend->next;
	return frontend;
}

struct backend *instance_backend_find(const struct instance *instance, const char *name)
{
	struct backend *backend = instance->backends;
	while (backend != NULL && strcmp(backend->config->name, name) != 0)
		backend = backend->next;
	return backend;
}
