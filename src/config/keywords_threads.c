/* The rows of threads and limits of the whole process. */
#include "config/cpu_map.h"
#include "config/keyword.h"

static const struct keyword rows[] = {
	{
		.name = "cpu-map",
		.arguments = "[auto:]1[/<threads>] <cpus> ...",
		.sections = IN_GLOBAL,
		HANDLED_BY(cpu_map_parse),
		.reload = RELOAD_RESTART,
		.default_text = "any CPU the process may use",
		.sentence =
			"CPUs for threads of group 1, the only one. Threads are a number, a range, all, odd or even; CPUs are numbers or ranges. With auto: the first thread gets the lowest CPU, and so on.",
	},
	{
		.name = "maxconn",
		.arguments = "<connections>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, maxconn),
		.max = 100 * 1000 * 1000,
		.default_text = "0, from the limit of open files",
		.sentence =
			"Connections the process may have at a time; further ones wait in the kernel's backlog.",
	},
	{
		.name = "nbthread",
		.arguments = "<threads>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, nbthread),
		.min = 1,
		.max = CONFIG_THREADS_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "one per CPU the process may use",
		.sentence = "Threads that carry connections.",
	},
	{
		.name = "ulimit-n",
		.arguments = "<files>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, ulimit_n),
		.max = INT32_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "0, what 'maxconn' needs",
		.sentence = "Limit of open files the process sets for itself.",
	},
};

const struct keyword_table keywords_threads = {rows, ARRAY_LENGTH(rows)};
