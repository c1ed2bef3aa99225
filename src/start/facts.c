/* What this build is and what the kernel under it allows. */

#include "start/facts.h"

#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "bpf/sockmap.h"
#include "bpf/wire.h"
#include "loop/loop.h"
#include "relay/engine.h"

void facts_print_version(void)
{
	puts("spliced version " SPLICED_VERSION);
}

/* NULL: the programs load. */
static const char *wire_try(char reason[WIRE_REASON_MAX])
{
	struct wire_table *table = NULL;
	if (wire_table_create(1, &table, reason) != 0)
		return reason;
	wire_table_destroy(table);
	return NULL;
}

static void engines_print(void)
{
	struct kernel_facts facts;
	char reason[WIRE_REASON_MAX], words[SOCKMAP_REASON_MAX];
	kernel_facts_probe(NULL, &facts);
	facts.wire_refusal = wire_try(reason);
	facts.sockmap_refusal = sockmap_selftest(words) != 0 ? words : NULL;
	puts("\nEngines:");
	puts("  auto     available: copy for messages, splice while a direction is bulk");
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		const char *refusal = relay_engines[i]->unavailable(&facts);
		if (refusal == NULL)
			printf("  %-8s available: %s\n", relay_engines[i]->name, relay_engines[i]->summary);
		else
			printf("  %-8s unavailable: %s\n", relay_engines[i]->name, refusal);
	}
	printf("\nLargest pipe granted: %u bytes\n", facts.pipe_bytes_max);
}

static void loops_print(void)
{
	puts("\nLoops:");
	puts("  auto     available: uring where a proxy says 'relay uring', else epoll");
	for (const char *const *name = loop_backend_names(); *name != NULL; name++) {
		const char *reason = loop_backend_unavailable(*name);
		printf("  %-8s %s%s\n", *name,
			reason == NULL ? "available" : "unavailable: ", reason == NULL ? "" : reason);
	}
}

void facts_print(void)
{
	struct utsname system;
	cpu_set_t cpus;
	facts_print_version();
	puts("Built with " __VERSION__ ", licence MIT");
	if (uname(&system) == 0)
		printf("Running on: %s %s %s\n", system.sysname, system.release, system.machine);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		printf("CPUs allowed: %d (one thread each unless nbthread says otherwise)\n",
			CPU_COUNT(&cpus));
	printf("File descriptors allowed: %lu\n", fd_limit_raise(0));
	loops_print();
	engines_print();
}
