/* Which threads run on which CPUs.  "auto:" is worked out here: it becomes one
 * entry per thread with one CPU. */
#include "config/cpu_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers from..to, every step-th. */
struct thread_set {
	unsigned first, last, step;
	bool is_open; /* no upper bound was written */
};

/* "3", "1-4", "2-" up to `max`; *ret_rest is what follows. */
static bool range_parse(const char *text, unsigned max, struct thread_set *ret_set, const char **ret_rest)
{
	struct thread_set set = {.step = 1};
	char *rest;
	unsigned long first, last;

	if (*text < '0' || *text > '9')
		return false;
	first = last = strtoul(text, &rest, 10);
	if (*rest == '-') {
		set.is_open = rest[1] < '0' || rest[1] > '9';
		last = max;
		rest++;
		if (!set.is_open)
			last = strtoul(rest, &rest, 10);
	}
	if (first > last || last > max)
		return false;
	set.first = (unsigned)first;
	set.last = (unsigned)last;
	*ret_set = set;
	*ret_rest = rest;
	return true;
}

static bool threads_parse(const char *text, struct thread_set *ret_set)
{
	const struct thread_set all = {1, CONFIG_THREADS_MAX, 1, true};
	const struct thread_set odd = {1, CONFIG_THREADS_MAX, 2, true};
	const struct thread_set even = {2, CONFIG_THREADS_MAX, 2, true};
	const char *rest;

	if (strcmp(text, "all") == 0)
		*ret_set = all;
	else if (strcmp(text, "odd") == 0)
		*ret_set = odd;
	else if (strcmp(text, "even") == 0)
		*ret_set = even;
	else
		return range_parse(text, CONFIG_THREADS_MAX, ret_set, &rest) && *rest == '\0' &&
			ret_set->first > 0;
	return true;
}

static unsigned cpu_last(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return cpus < 1 ? 0 : cpus > CONFIG_CPUS_MAX ? CONFIG_CPUS_MAX - 1 : (unsigned)cpus - 1;
}

static void cpu_set(uint64_t *cpus, unsigned cpu)
{
	cpus[cpu / 64] |= 1ULL << (cpu % 64);
}

static bool cpu_is_set(const uint64_t *cpus, unsigned cpu)
{
	return (cpus[cpu / 64] >> (cpu % 64) & 1) != 0;
}

/* One argument: "0", "0-3", "4-", several with commas. */
static bool cpus_parse(const char *text, uint64_t *cpus)
{
	struct thread_set range;

	for (;;) {
		if (!range_parse(text, CONFIG_CPUS_MAX - 1, &range, &text))
			return false;
		if (range.is_open)
			range.last = cpu_last();
		for (unsigned cpu = range.first; cpu <= range.last; cpu++)
			cpu_set(cpus, cpu);
		if (*text != ',')
			return *text == '\0';
		text++;
	}
}

static void entry_add(
	struct parser *parser, unsigned first, unsigned last, const uint64_t *cpus, bool is_auto)
{
	struct config_cpu_map **end = &parser->config->global.cpu_maps;
	struct config_cpu_map *entry = arena_alloc(parser->arena, sizeof(*entry));

	entry->thread_first = first;
	entry->thread_last = last;
	entry->is_auto = is_auto;
	memcpy(entry->cpus, cpus, sizeof(entry->cpus));
	while (*end != NULL)
		end = &(*end)->next;
	*end = entry;
}

static unsigned cpus_count(const uint64_t *cpus)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CONFIG_CPUS_MAX / 64; i++)
		count += (unsigned)__builtin_popcountll(cpus[i]);
	return count;
}

/* The first thread gets the lowest CPU, and so on. */
static int add_auto(struct parser *parser, const struct thread_set *threads, const uint64_t *cpus)
{
	unsigned wanted = (threads->last - threads->first) / threads->step + 1;
	unsigned thread = threads->first;

	if (!threads->is_open && cpus_count(cpus) != wanted) {
		report_alert(parser, "'cpu-map auto:' needs as many CPUs as threads: %u threads, %u CPUs",
			wanted, cpus_count(cpus));
		return -EINVAL;
	}
	for (unsigned cpu = 0; cpu < CONFIG_CPUS_MAX && thread <= threads->last; cpu++) {
		uint64_t one[CONFIG_CPUS_MAX / 64] = {0};

		if (!cpu_is_set(cpus, cpu))
			continue;
		cpu_set(one, cpu);
		entry_add(parser, thread, thread, one, true);
		thread += threads->step;
	}
	return 0;
}

static void add_plain(struct parser *parser, const struct thread_set *threads, const uint64_t *cpus)
{
	if (threads->step == 1) {
		entry_add(parser, threads->first, threads->last, cpus, false);
		return;
	}
	for (unsigned thread = threads->first; thread <= threads->last; thread += threads->step)
		entry_add(parser, thread, thread, cpus, false);
}

/* "1", "1/2-4", "all/odd": thread group, then threads.  There is one group. */
static bool group_parse(struct parser *parser, const char *text, bool is_auto, struct thread_set *ret_threads)
{
	const char *slash = strchr(text, '/');
	struct thread_set group;
	char *name;

	if (slash == NULL && is_auto) {
		report_warning(parser, "'cpu-map auto:%s': taken for threads; write 'auto:1/%s'", text, text);
		return threads_parse(text, ret_threads);
	}
	name = slash == NULL ? arena_copy(parser->arena, text)
			     : arena_copy_bytes(parser->arena, text, (size_t)(slash - text));
	if (!threads_parse(name, &group))
		return false;
	if (group.first != 1) {
		report_alert(parser, "'cpu-map': there is only thread group 1, not '%s'", name);
		return false;
	}
	return threads_parse(slash == NULL ? "all" : slash + 1, ret_threads);
}

int cpu_map_parse(struct parser *parser, const struct statement *statement)
{
	uint64_t cpus[CONFIG_CPUS_MAX / 64] = {0};
	const char *text = statement->count > 0 ? statement->words[0] : "";
	bool is_auto = strncmp(text, "auto:", 5) == 0;
	struct thread_set threads;

	if (statement->count < 2 || !group_parse(parser, text + (is_auto ? 5 : 0), is_auto, &threads))
		return statement_refuse(parser, statement);
	for (unsigned i = 1; i < statement->count; i++) {
		if (!cpus_parse(statement->words[i], cpus)) {
			report_alert(parser,
				"'cpu-map' expects CPUs from 0 to %d, such as 0 or 0-3, not '%s'",
				CONFIG_CPUS_MAX - 1, statement->words[i]);
			return -EINVAL;
		}
	}
	if (is_auto) {
		if (add_auto(parser, &threads, cpus) < 0)
			return -EINVAL;
	} else {
		add_plain(parser, &threads, cpus);
	}
	return (int)statement->count;
}
