/* What this build is and what the kernel under it allows. */

#include "start/facts.h"

#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "loop/loop.h"
#include "start/engine_facts.h"

void facts_print_version(void)
{
	puts("spliced version " SPLICED_VERSION);
}

static void engines_print(void)
{
	struct engine_facts facts;
	engine_facts_find(&facts);
	puts("\nEngines:");
	puts("  auto     available: copy for messages, splice while a direction is bulk");
	for (unsigned i = 0; relay_engines[i] != NULL; i++) {
		const char *refusal = relay_engines[i]->unavailable(&facts.kernel);
		if (refusal == NULL)
			printf("  %-8s available: %s\n", relay_engines[i]->name, relay_engines[i]->summary);
		else
			printf("  %-8s unavailable: %s\n", relay_engines[i]->name, refusal);
	}
	printf("\nLargest pipe granted: %u bytes\n", facts.kernel.pipe_bytes_max);
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
