/* The table of a report for people. */
#include "report.h"

#include <inttypes.h>

static double mebibytes(uint64_t bytes)
{
	return (double)bytes / (1024.0 * 1024.0);
}

static void process_print(const struct watch_process_report *process, bool is_bpf, FILE *out)
{
	fprintf(out, "process %d%s, %u thread%s\n", (int)process->pid, process->is_ended ? " (ended)" : "",
		process->threads, process->threads == 1 ? "" : "s");
	fprintf(out, "  processor     user %.2f s, system %.2f s, waiting for a CPU %.3f s\n",
		process->user_s, process->system_s, process->run_delay_s);
	fprintf(out, "  switches      voluntary %" PRIu64 ", involuntary %" PRIu64 "\n",
		process->voluntary_switches, process->involuntary_switches);
	if (is_bpf) {
		const struct watch_latency *latency = &process->wake_latency;
		fprintf(out, "  system calls  %" PRIu64 "\n", process->syscalls);
		fprintf(out,
			"  wake-ups      %" PRIu64
			", until running p50 %.1f, p90 %.1f, p99 %.1f, max %.1f µs\n",
			process->wakeups, latency->p50_us, latency->p90_us, latency->p99_us, latency->max_us);
	}
	fprintf(out, "  memory        RSS %.1f MiB (%+.1f)", mebibytes(process->rss_bytes),
		mebibytes(process->rss_bytes) - mebibytes(process->rss_start_bytes));
	if (process->has_pss)
		fprintf(out, ", PSS %.1f MiB (%+.1f)", mebibytes(process->pss_bytes),
			mebibytes(process->pss_bytes) - mebibytes(process->pss_start_bytes));
	fprintf(out, "\n");
}

static void machine_print(const struct watch_machine_report *machine, FILE *out)
{
	fprintf(out, "machine, %ld CPU%s\n", machine->cpus, machine->cpus == 1 ? "" : "s");
	fprintf(out,
		"  processor     user %.2f s, system %.2f s, softirq %.2f s, irq %.2f s, steal %.2f s, idle %.2f s\n",
		machine->user_s, machine->system_s, machine->softirq_s, machine->irq_s, machine->steal_s,
		machine->idle_s);
	fprintf(out, "  switches      %" PRIu64 "\n", machine->context_switches);
	fprintf(out, "  packets       processed %u, dropped %u, squeezed %u\n", machine->softnet.processed,
		machine->softnet.dropped, machine->softnet.squeezed);
	fprintf(out, "  memory        available %.1f MiB (%+.1f), slab %.1f MiB (%+.1f)\n",
		mebibytes(machine->memory_end.available_bytes),
		mebibytes(machine->memory_end.available_bytes) -
			mebibytes(machine->memory_start.available_bytes),
		mebibytes(machine->memory_end.slab_bytes),
		mebibytes(machine->memory_end.slab_bytes) - mebibytes(machine->memory_start.slab_bytes));
	fprintf(out, "  TCP           %" PRIu64 " sockets (%+" PRId64 "), %" PRIu64 " pages (%+" PRId64 ")\n",
		machine->sockets_end.tcp_inuse,
		(int64_t)(machine->sockets_end.tcp_inuse - machine->sockets_start.tcp_inuse),
		machine->sockets_end.tcp_pages,
		(int64_t)(machine->sockets_end.tcp_pages - machine->sockets_start.tcp_pages));
}

void watch_report_print(const struct watch_report *report, FILE *out)
{
	fprintf(out, "watched for %.2f s, itself using %.3f s of processor time\n", report->seconds,
		report->own_cpu_s);
	if (report->why_not_bpf != NULL)
		fprintf(out, "without system calls and wake-ups: %s\n", report->why_not_bpf);
	for (size_t i = 0; i < report->processes_used; i++)
		process_print(&report->processes[i], report->is_bpf, out);
	machine_print(&report->machine, out);
}
