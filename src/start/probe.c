/* --probe: what every engine needs of the kernel, the container and the network, whether it is
 * there, and what to do where it is not. */

#include "start/probe.h"

#include <cap-ng.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/route.h"
#include "start/engine_facts.h"
#include "start/probe_interface.h"

#define KERNEL(major, minor) ((major)*1000 + (minor))
#define RIGHTS_REMEDY                                                                                   \
	"start as root, or give it AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON in its unit, " \
	"or --cap-add in its container"
#define BPF_REMEDY                                                                                         \
	"grant the capabilities; if they are there: allow bpf in the seccomp profile of its container or " \
	"unit, and see whether the kernel is locked down (/sys/kernel/security/lockdown)"

enum { INTERFACES_MAX = 256, DESCRIPTORS_WANTED = 65536, BACKLOG_WANTED = 4096, PIPE_WANTED = 1 << 20 };

struct need {
	const char *engine; /* NULL: the process as a whole */
	bool (*is_met)(const struct need *need);
	const char *text, *remedy;
	long number;
	const char *path;
	bool is_advice; /* it works without */
};

static long kernel_number(void)
{
	struct utsname system;
	char *end = NULL;
	if (uname(&system) != 0)
		return 0;
	long major = strtol(system.release, &end, 10);
	return KERNEL(major, *end == '.' ? strtol(end + 1, NULL, 10) : 0);
}

static bool has_kernel(const struct need *need)
{
	return kernel_number() >= need->number;
}

static bool has_file(const struct need *need)
{
	return access(need->path, R_OK) == 0;
}

/* CAP_SYS_ADMIN stands for those that were split from it. */
static bool has_capability(const struct need *need)
{
	return capng_have_capability(CAPNG_EFFECTIVE, (unsigned)need->number) ||
		(need->number != CAP_NET_ADMIN && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN));
}

/* False when the kernel has no such number, or none is to be read. */
static bool number_read(const char *path, long *ret_number)
{
	char line[32];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	bool is_read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	if (is_read)
		*ret_number = strtol(line, NULL, 10);
	return is_read;
}

static bool is_at_least(const struct need *need)
{
	long number = 0;
	return !number_read(need->path, &number) || number >= need->number;
}

static bool is_at_most(const struct need *need)
{
	long number = 0;
	return !number_read(need->path, &number) || number <= need->number;
}

/* 0 is no limit. */
static bool is_none_or_at_least(const struct need *need)
{
	long number = 0;
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_RESOURCE) ||
		!number_read(need->path, &number) || number == 0 || number >= need->number;
}

static int interfaces_find(unsigned indexes[INTERFACES_MAX])
{
	struct mnl_socket *socket = route_open();
	if (socket == NULL)
		return 0;
	int count = route_interfaces(socket, indexes, INTERFACES_MAX);
	route_close(socket);
	return count < INTERFACES_MAX ? count : INTERFACES_MAX;
}

static bool has_interface(const struct need *need)
{
	unsigned indexes[INTERFACES_MAX];
	(void)need;
	return interfaces_find(indexes) > 0;
}

static bool may_bpf(const struct need *need)
{
	union bpf_attr request = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	FD_AUTO int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &request, sizeof(request));
	(void)need;
	return fd >= 0;
}

static bool may_io_uring(const struct need *need)
{
	struct io_uring_params parameters = {0};
	FD_AUTO int fd = (int)syscall(SYS_io_uring_setup, 1, &parameters);
	(void)need;
	return fd >= 0;
}

static bool has_descriptors(const struct need *need)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		(limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= (rlim_t)need->number);
}

static const struct need needs[] = {
	{NULL, has_descriptors, "65,536 file descriptors, for 32,000 connections",
		"LimitNOFILE= in its unit, or ulimit -Hn", DESCRIPTORS_WANTED, NULL, true},
	{NULL, is_at_least, "room for 4,096 connections that wait to be accepted",
		"sysctl net.core.somaxconn=4096", BACKLOG_WANTED, "/proc/sys/net/core/somaxconn", true},
	{"wire", has_kernel, "Linux 5.17 or newer", "run a newer kernel", KERNEL(5, 17), NULL, false},
	{"wire", has_file, "type information of the kernel",
		"run a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container, mount /sys", 0,
		"/sys/kernel/btf/vmlinux", false},
	{"wire", has_capability, "CAP_BPF", RIGHTS_REMEDY, CAP_BPF, NULL, false},
	{"wire", has_capability, "CAP_NET_ADMIN", RIGHTS_REMEDY, CAP_NET_ADMIN, NULL, false},
	{"wire", has_capability, "CAP_PERFMON", RIGHTS_REMEDY, CAP_PERFMON, NULL, false},
	{"wire", may_bpf, "bpf(2) may be called", BPF_REMEDY, 0, NULL, false},
	{"wire", has_interface, "an Ethernet interface", "give its network namespace one", 0, NULL, false},
	{"wire", is_at_least, "BPF programs are compiled", "sysctl net.core.bpf_jit_enable=1", 1,
		"/proc/sys/net/core/bpf_jit_enable", true},
	{"wire", is_at_most, "connections are not tracked",
		"exempt the proxy's ports: 'notrack' rules, see docs/engines.md", 0,
		"/proc/sys/net/netfilter/nf_conntrack_count", true},
	{"wire", has_kernel, "programs that vanish with the process (Linux 6.6)",
		"nothing: those of a killed process do nothing after 5 seconds, and the next one replaces them",
		KERNEL(6, 6), NULL, true},
	{"sockmap", has_file, "type information of the kernel",
		"run a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container, mount /sys", 0,
		"/sys/kernel/btf/vmlinux", false},
	{"sockmap", has_capability, "CAP_BPF", RIGHTS_REMEDY, CAP_BPF, NULL, false},
	{"sockmap", has_capability, "CAP_NET_ADMIN", RIGHTS_REMEDY, CAP_NET_ADMIN, NULL, false},
	{"sockmap", has_capability, "CAP_PERFMON", RIGHTS_REMEDY, CAP_PERFMON, NULL, false},
	{"sockmap", may_bpf, "bpf(2) may be called", BPF_REMEDY, 0, NULL, false},
	{"uring", has_kernel, "Linux 6.0 or newer", "run a newer kernel", KERNEL(6, 0), NULL, false},
	{"uring", is_at_most, "io_uring is switched on", "sysctl kernel.io_uring_disabled=0", 0,
		"/proc/sys/kernel/io_uring_disabled", false},
	{"uring", may_io_uring, "io_uring_setup(2) may be called",
		"allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile of its container or unit",
		0, NULL, false},
	{"splice", is_at_least, "pipes of up to 1 MiB", "sysctl fs.pipe-max-size=1048576", PIPE_WANTED,
		"/proc/sys/fs/pipe-max-size", true},
	{"splice", is_none_or_at_least, "as many pages in pipes as it likes",
		"sysctl fs.pipe-user-pages-soft=0, or CAP_SYS_RESOURCE", 1 << 20,
		"/proc/sys/fs/pipe-user-pages-soft", true},
};

/* Returns how many that are needed are missing. */
static unsigned needs_print(const char *engine)
{
	unsigned missing = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(needs); i++) {
		const struct need *need = &needs[i];
		bool is_same = engine == NULL ? need->engine == NULL
					      : need->engine != NULL && strcmp(need->engine, engine) == 0;
		if (!is_same)
			continue;
		bool is_met = need->is_met(need);
		printf("  %-4s %s%s\n", is_met ? "yes" : "no", need->text,
			!is_met && need->is_advice ? " (advice)" : "");
		if (!is_met)
			printf("       remedy: %s\n", need->remedy);
		missing += !is_met && !need->is_advice;
	}
	return missing;
}

static void engine_print(const struct relay_engine *engine, const char *refusal)
{
	printf("\n%s: %s%s\n", engine->name,
		refusal == NULL ? "available" : "unavailable: ", refusal == NULL ? "" : refusal);
	if (needs_print(engine->name) == 0 && refusal != NULL)
		puts("       remedy: none is known for this reason");
}

static void interfaces_print(void)
{
	unsigned indexes[INTERFACES_MAX];
	int count = interfaces_find(indexes);
	puts("\nEthernet interfaces, where wire works:");
	for (int i = 0; i < count; i++)
		probe_interface_print(indexes[i]);
	if (count <= 0)
		puts("  none");
}

void probe_print(void)
{
	struct utsname system;
	struct engine_facts facts;
	if (uname(&system) == 0)
		printf("spliced " SPLICED_VERSION " on %s %s %s\n", system.sysname, system.release,
			system.machine);
	(void)needs_print(NULL);
	engine_facts_find(&facts);
	for (unsigned i = 0; relay_engines[i] != NULL; i++)
		engine_print(relay_engines[i], relay_engines[i]->unavailable(&facts.kernel));
	interfaces_print();
}
