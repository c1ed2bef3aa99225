/* A worker's thread and what it owns. */

#include "worker/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/instance_sockmap.h"

/* --- the thread --- */

static void affinity_set(const struct worker *worker)
{
	unsigned number = worker->index + 1;
	for (const struct config_cpu_map *map = worker->instance->config->global.cpu_maps; map != NULL;
		map = map->next) {
		if (number < map->thread_first || number > map->thread_last)
			continue;
		cpu_set_t set;
		CPU_ZERO(&set);
		unsigned seen = 0, wanted = number - map->thread_first;
		for (unsigned cpu = 0; cpu < sizeof(map->cpus) * 8 && cpu < CPU_SETSIZE; cpu++) {
			if (!(map->cpus[cpu / 64] & (UINT64_C(1) << (cpu % 64))))
				continue;
			if (!map->is_auto || seen == wanted)
				CPU_SET(cpu, &set);
			seen++;
		}
		if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
			log_event(
				LOG_LEVEL_WARNING, "cpu-map: thread %u cannot be bound to its CPUs", number);
	}
}

static void *thread_main(void *argument)
{
	struct worker *worker = argument;
	char name[16];
	snprintf(name, sizeof(name), "worker %u", worker->index + 1);
	pthread_setname_np(pthread_self(), name);
	affinity_set(worker);
	worker_accept_set(worker, NULL, true);
	loop_run(worker->loop);
	return NULL;
}

static void on_stop_message(struct loop_message *message)
{
	struct worker *worker = container_of(message, struct worker, stop_message);
	worker_accept_set(worker, NULL, false);
	session_table_kill_all(&worker->sessions, CLOSE_SHUTDOWN);
	loop_stop(worker->loop);
}

int worker_start(struct worker *worker)
{
	int result = pthread_create(&worker->thread, NULL, thread_main, worker);
	worker->is_running = result == 0;
	return -result;
}

void worker_stop(struct worker *worker)
{
	if (!worker->is_running)
		return;
	worker->stop_message.run = on_stop_message;
	loop_post(worker->loop, &worker->stop_message);
	pthread_join(worker->thread, NULL);
	worker->is_running = false;
}

void worker_accept_set(struct worker *worker, const struct frontend *frontend, bool is_accepting)
{
	for (unsigned i = 0; i < worker->acceptors_count; i++) {
		struct frontend *owner = worker->listeners[i]->frontend;
		if (frontend != NULL && owner != frontend)
			continue;
		enum frontend_state state = __atomic_load_n(&owner->state, __ATOMIC_ACQUIRE);
		if (is_accepting && state == FRONTEND_OPEN) {
			acceptor_start(worker->acceptors[i]);
			continue;
		}
		if (is_accepting && state == FRONTEND_STOPPED)
			acceptor_drain(worker->acceptors[i]);
		acceptor_stop(worker->acceptors[i]);
	}
}

/* --- jobs --- */

static void job_done(struct loop_message *message)
{
	struct worker_job *job = container_of(message, struct worker_job, message);
	job->done(job);
}

static void job_run_once(struct worker_job *job)
{
	job->again = false;
	job->run(job);
	if (job->again) {
		loop_task_schedule(job->worker->loop, &job->task);
		return;
	}
	job->message.run = job_done;
	loop_post(job->worker->instance->control_loop, &job->message);
}

static void job_continue(struct loop_task *task)
{
	job_run_once(container_of(task, struct worker_job, task));
}

static void job_begin(struct loop_message *message)
{
	struct worker_job *job = container_of(message, struct worker_job, message);
	loop_task_init(&job->task, job_continue);
	job_run_once(job);
}

void worker_submit(struct worker *worker, struct worker_job *job)
{
	job->worker = worker;
	job->message.run = job_begin;
	loop_post(worker->loop, &job->message);
}

/* --- birth and end --- */

static void on_accept(void *context, struct listener *listener, int fd, const struct address *peer)
{
	struct worker *worker = context;
	session_open(&worker->sessions, listener, fd, peer);
}

static int sessions_init(struct worker *worker)
{
	struct instance *instance = worker->instance;
	struct session_table *table = &worker->sessions;
	const struct config_global *global = &instance->config->global;
	table->loop = worker->loop;
	table->global = global;
	table->limits = &instance->limits;
	table->routes = &instance->routes;
	table->log_ring = log_ring_add(instance->log_sender);
	table->worker = worker->index;
	table->next_id = worker->index + 1;
	table->ids_step = instance->workers_count;
	table->owner = worker;
	struct relay_worker_options *options = &table->relay_worker.options;
	options->buffer_bytes = global->buffer_bytes;
	options->pipe_bytes = global->pipe_bytes;
	options->ring_bytes = global->ring_bytes;
	/* The first ones get what does not divide. */
	options->wake_bytes = global->wake_bytes;
	options->pipes_max = instance->pipes_max / instance->workers_count;
	if (worker->index < instance->pipes_max % instance->workers_count)
		options->pipes_max++;
	options->wire = instance->wire;
	options->wire_refusal = instance->wire_refusal[0] != '\0' ? instance->wire_refusal : NULL;
	options->wire_parked_max = instance->wire_parked_max / instance->workers_count + 1;
	options->sockmap = instance_sockmap_table(instance, worker->index);
	options->sockmap_refusal = instance->sockmap_refusal[0] != '\0' ? instance->sockmap_refusal : NULL;
	options->held_bytes_max = instance->held_bytes_max / instance->workers_count;
	return session_table_init(table);
}

static unsigned acceptors_count(const struct worker *worker)
{
	unsigned count = 0;
	for (const struct frontend *frontend = worker->instance->frontends; frontend != NULL;
		frontend = frontend->next) {
		for (const struct listener *listener = frontend->listeners; listener != NULL;
			listener = listener->next)
			count += listener_rounds(listener, worker->index);
	}
	return count;
}

static int acceptor_add(struct worker *worker, struct listener *listener, unsigned round)
{
	struct acceptor_options options = {
		.loop = worker->loop,
		.limits = &worker->instance->limits,
		.worker = worker->index,
		.round = round,
		.burst_max = worker->instance->config->global.maxaccept,
		.on_accept = on_accept,
		.context = worker,
	};
	int result = acceptor_create(&options, listener, &worker->acceptors[worker->acceptors_count]);
	if (result < 0)
		return result;
	worker->listeners[worker->acceptors_count] = listener;
	worker->acceptors_count++;
	return 0;
}

static int acceptors_add(struct worker *worker, struct listener *listener)
{
	for (unsigned round = 0; round < listener_rounds(listener, worker->index); round++) {
		int result = acceptor_add(worker, listener, round);
		if (result < 0)
			return result;
	}
	return 0;
}

static int acceptors_init(struct worker *worker)
{
	struct instance *instance = worker->instance;
	unsigned count = acceptors_count(worker);
	worker->acceptors = calloc(count + 1, sizeof(struct acceptor *));
	worker->listeners = calloc(count + 1, sizeof(struct listener *));
	if (worker->acceptors == NULL || worker->listeners == NULL)
		return -ENOMEM;
	for (struct frontend *frontend = instance->frontends; frontend != NULL; frontend = frontend->next) {
		for (struct listener *listener = frontend->listeners; listener != NULL;
			listener = listener->next) {
			int result = acceptors_add(worker, listener);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

int worker_init(struct worker *worker, struct instance *instance, unsigned index)
{
	worker->index = index;
	worker->instance = instance;
	worker->loop = loop_create_named(instance->loop_name);
	if (worker->loop == NULL)
		return -errno;
	int result = sessions_init(worker);
	if (result < 0)
		return result;
	return acceptors_init(worker);
}

void worker_release(struct worker *worker)
{
	CHECK(!worker->is_running);
	if (worker->loop == NULL)
		return;
	for (unsigned i = 0; i < worker->acceptors_count; i++)
		acceptor_destroy(worker->acceptors[i]);
	free(worker->acceptors);
	free(worker->listeners);
	/* Sessions ended by the stop are freed by tasks of one last pass. */
	loop_run_once(worker->loop, 0);
	if (worker->sessions.loop != NULL)
		session_table_release(&worker->sessions);
	loop_destroy(worker->loop);
	worker->loop = NULL;
}
