/* The rows of threads and limits of the whole process. */
#include <errno.h>
#include <string.h>

#include "config/cpu_map.h"
#include "config/keyword.h"
#include "loop/loop.h"

static int parse_loop(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	const char *const *names = loop_backend_names();
	const char *word = statement->count > 0 ? statement->words[0] : "";

	if (*word == '\0')
		return statement_refuse(parser, statement);
	if (strcmp(word, "auto") == 0) {
		global->loop = "auto";
		return 1;
	}
	for (const char *const *name = names; *name != NULL; name++) {
		if (strcmp(*name, word) == 0) {
			global->loop = *name;
			return 1;
		}
	}
	return statement_refuse_word(parser, statement, word, name_nearest(names, word));
}

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
		.name = "loop",
		.arguments = "auto, epoll or uring",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_loop),
		.reload = RELOAD_RESTART,
		.default_text = "auto",
		.sentence =
			"How the threads that carry connections learn what is ready: from epoll(7), or from a ring of io_uring(7), which takes all that a thread has to say to the kernel with the call that waits. 'auto' is uring when a proxy says 'relay uring', which needs it, and epoll otherwise. Where the kernel refuses io_uring a warning says why, and epoll serves.",
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
