/* The samples of samples.h. */
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void queues_refusal_explain(struct samples *samples, int error)
{
	if (error == -EPERM || error == -EACCES)
		snprintf(samples->why_no_queues, WATCH_REASON_MAX,
			"the process is in another network namespace, or another user's: that needs root");
	else if (error == -ENOENT || error == -EPROTONOSUPPORT)
		snprintf(samples->why_no_queues, WATCH_REASON_MAX,
			"this kernel does not list TCP sockets by netlink (inet_diag)");
	else
		snprintf(samples->why_no_queues, WATCH_REASON_MAX, "the queues cannot be read: %s",
			strerror(-error));
	samples->has_queues = false;
}

void samples_init(struct samples *samples, const struct watch *watch, uint16_t port)
{
	*samples = (struct samples){.queues.fd = -1};
	if (port == 0)
		return;
	int result = queues_init(&samples->queues, watch->processes[0].folder_fd, port);
	samples->has_queues = result == 0;
	if (result < 0)
		queues_refusal_explain(samples, result);
}

void samples_start(struct samples *samples, struct watch *watch)
{
	samples->started_us = samples->taken_us = clock_monotonic_us();
	samples->taken = 0;
	samples->softnet = watch->machine.first.softnet;
	memset(samples->uses, 0, sizeof(samples->uses));
	if (proc_file_read(&watch->file, watch->machine.stat_fd) < 0 ||
		machine_cpus_parse(watch->file.bytes, samples->cpus, SAMPLES_CPUS_MAX) < 0)
		memset(samples->cpus, 0, sizeof(samples->cpus));
}

static json_t *processes_json(struct samples *samples, const struct watch *watch, struct thread_use *ret_sum)
{
	json_t *processes = json_array();
	*ret_sum = (struct thread_use){0};
	for (size_t i = 0; i < watch->processes_used; i++) {
		const struct process *process = &watch->processes[i];
		struct thread_use use = process_use(process);
		uint64_t delay_ns = use.delay_ns - samples->uses[i].delay_ns;
		uint64_t run_ns = use.run_ns - samples->uses[i].run_ns;
		samples->uses[i] = use;
		ret_sum->delay_ns += delay_ns;
		ret_sum->run_ns += run_ns;
		json_array_append_new(processes,
			json_pack("{s:i, s:b, s:f, s:f}", "pid", (int)process->pid, "ended",
				process->is_ended, "run_delay_s", (double)delay_ns / 1e9, "run_s",
				(double)run_ns / 1e9));
	}
	return processes;
}

/* The share of the time since the sample before that each CPU was not idle; null for
 * one that is offline.  Ticks are coarse: below 100 ms the share comes in large steps. */
static json_t *cpus_json(struct samples *samples, struct watch *watch)
{
	static struct cpu_ticks cpus[SAMPLES_CPUS_MAX];
	json_t *shares = json_array();
	if (proc_file_read(&watch->file, watch->machine.stat_fd) < 0)
		return shares;
	int count = machine_cpus_parse(watch->file.bytes, cpus, SAMPLES_CPUS_MAX);
	for (int i = 0; i < count; i++) {
		uint64_t total = cpu_ticks_total(&cpus[i]) - cpu_ticks_total(&samples->cpus[i]);
		uint64_t idle = cpus[i].idle - samples->cpus[i].idle;
		bool is_known =
			cpu_ticks_total(&cpus[i]) > cpu_ticks_total(&samples->cpus[i]) && idle <= total;
		json_array_append_new(
			shares, is_known ? json_real((double)(total - idle) / (double)total) : json_null());
		samples->cpus[i] = cpus[i];
	}
	return shares;
}

static json_t *softnet_json(struct samples *samples, struct watch *watch)
{
	struct softnet_stat now = samples->softnet;
	if (watch->machine.softnet_fd < 0 || proc_file_read(&watch->file, watch->machine.softnet_fd) < 0 ||
		softnet_stat_parse(watch->file.bytes, &now) < 0)
		now = samples->softnet;
	json_t *softnet = json_pack("{s:I, s:I, s:I}", "processed",
		(json_int_t)(uint32_t)(now.processed - samples->softnet.processed), "dropped",
		(json_int_t)(uint32_t)(now.dropped - samples->softnet.dropped), "squeezed",
		(json_int_t)(uint32_t)(now.squeezed - samples->softnet.squeezed));
	samples->softnet = now;
	return softnet;
}

static json_t *queues_json(struct samples *samples)
{
	struct queues_reading reading;
	int result = samples->has_queues ? queues_read(&samples->queues, &reading) : 0;
	if (result < 0)
		queues_refusal_explain(samples, result);
	if (!samples->has_queues)
		return json_null();
	return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "port", (int)samples->queues.port,
		"listeners", (int)reading.listeners, "connections", (int)reading.connections, "accept_queue",
		(json_int_t)reading.accept_queue, "accept_queue_max", (json_int_t)reading.accept_queue_max,
		"receive_queue_bytes", (json_int_t)reading.receive_queue_bytes, "send_queue_bytes",
		(json_int_t)reading.send_queue_bytes);
}

json_t *samples_take(struct samples *samples, struct watch *watch)
{
	struct thread_use sum;
	watch_refresh(watch);
	uint64_t now_us = clock_monotonic_us();
	uint64_t before_us = samples->taken_us;
	samples->taken_us = now_us;
	json_t *processes = processes_json(samples, watch, &sum);
	json_t *cpus = cpus_json(samples, watch);
	json_t *softnet = softnet_json(samples, watch);
	json_t *queues = queues_json(samples);
	const char *why = samples->why_no_queues[0] != '\0' ? samples->why_no_queues : NULL;
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:s?}", "sample",
		(json_int_t)++samples->taken, "at_s", (double)(now_us - samples->started_us) / 1e6,
		"interval_s", (double)(now_us - before_us) / 1e6, "run_delay_s", (double)sum.delay_ns / 1e9,
		"run_s", (double)sum.run_ns / 1e9, "pids", processes, "cpu_busy", cpus, "softnet", softnet,
		"queues", queues, "why_no_queues", why);
}

void samples_release(struct samples *samples)
{
	if (samples != NULL)
		queues_release(&samples->queues);
}
