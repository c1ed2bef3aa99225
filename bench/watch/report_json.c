/* The JSON face of a report.  What a build, kernel or user cannot know is null. */
#include "report.h"

#include "syscall_names.h"

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *latency_json(const struct watch_latency *latency)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:I}", "p50", latency->p50_us, "p90", latency->p90_us, "p99",
		latency->p99_us, "max", latency->max_us, "count", (json_int_t)latency->count);
}

static const char *syscall_name(uint32_t number, char *storage, size_t size)
{
	if (number == WATCH_SYSCALLS - 1)
		return "other";
	if (number < ARRAY_LENGTH(syscall_names) && syscall_names[number] != NULL)
		return syscall_names[number];
	snprintf(storage, size, "syscall_%u", number);
	return storage;
}

static json_t *syscalls_json(const struct watch_syscall *top)
{
	json_t *names = json_object();
	char storage[32];
	for (size_t i = 0; i < WATCH_SYSCALLS_TOP && top[i].count > 0; i++)
		json_object_set_new(
			names, syscall_name(top[i].number, storage, sizeof(storage)), integer(top[i].count));
	return names;
}

static json_t *process_json(const struct watch_process_report *process, bool is_bpf)
{
	json_t *object = json_pack("{s:i, s:b, s:I, s:f, s:f, s:f, s:f, s:I, s:I}", "pid", (int)process->pid,
		"ended", process->is_ended, "threads", (json_int_t)process->threads, "user_s",
		process->user_s, "system_s", process->system_s, "run_s", process->run_s, "run_delay_s",
		process->run_delay_s, "voluntary_switches", (json_int_t)process->voluntary_switches,
		"involuntary_switches", (json_int_t)process->involuntary_switches);
	json_object_set_new(object, "syscalls", is_bpf ? integer(process->syscalls) : json_null());
	json_object_set_new(
		object, "syscalls_by_name", is_bpf ? syscalls_json(process->syscalls_top) : json_null());
	json_object_set_new(object, "wakeups", is_bpf ? integer(process->wakeups) : json_null());
	json_object_set_new(
		object, "wake_latency_us", is_bpf ? latency_json(&process->wake_latency) : json_null());
	json_object_set_new(object, "rss_bytes_start", integer(process->rss_start_bytes));
	json_object_set_new(object, "rss_bytes", integer(process->rss_bytes));
	json_object_set_new(object, "pss_bytes_start",
		process->has_pss ? integer(process->pss_start_bytes) : json_null());
	json_object_set_new(
		object, "pss_bytes", process->has_pss ? integer(process->pss_bytes) : json_null());
	return object;
}

static void memory_add(json_t *object, const struct watch_machine_report *machine)
{
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"mem_available_bytes_start", machine->memory_start.available_bytes},
		{"mem_available_bytes_end", machine->memory_end.available_bytes},
		{"slab_bytes_start", machine->memory_start.slab_bytes},
		{"slab_bytes_end", machine->memory_end.slab_bytes},
		{"tcp_mem_pages_start", machine->sockets_start.tcp_pages},
		{"tcp_mem_pages_end", machine->sockets_end.tcp_pages},
		{"sockets_tcp_inuse_start", machine->sockets_start.tcp_inuse},
		{"sockets_tcp_inuse", machine->sockets_end.tcp_inuse},
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		json_object_set_new(object, rows[i].key, integer(rows[i].value));
}

static json_t *machine_json(const struct watch_machine_report *machine)
{
	json_t *object = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:{s:I, s:I, s:I}}", "cpus",
		(int)machine->cpus, "user_s", machine->user_s, "system_s", machine->system_s, "softirq_s",
		machine->softirq_s, "irq_s", machine->irq_s, "steal_s", machine->steal_s, "idle_s",
		machine->idle_s, "context_switches", (json_int_t)machine->context_switches, "softnet",
		"processed", (json_int_t)machine->softnet.processed, "dropped",
		(json_int_t)machine->softnet.dropped, "squeezed", (json_int_t)machine->softnet.squeezed);
	memory_add(object, machine);
	return object;
}

json_t *watch_report_json(const struct watch_report *report)
{
	json_t *processes = json_array();
	for (size_t i = 0; i < report->processes_used; i++)
		json_array_append_new(processes, process_json(&report->processes[i], report->is_bpf));
	return json_pack("{s:f, s:s, s:s?, s:f, s:o, s:o}", "seconds", report->seconds, "source",
		report->is_bpf ? "bpf" : "proc", "why_not_bpf", report->why_not_bpf, "own_cpu_s",
		report->own_cpu_s, "pids", processes, "machine", machine_json(&report->machine));
}
