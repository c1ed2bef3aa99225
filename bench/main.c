/* splicebench: measures TCP proxies and what they cost.  This file only finds the
 * command; the table names them all. */
#include "splicebench.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMPARE_WORDS_MAX = 256, PATH_BYTES = 1024 };
static const char python[] = "/usr/bin/python3";

/* Beside this program as it was installed, or in the sources that it was built from:
 * both told by where the program is, never by a path that was compiled in. */
static const char *const compare_places[] = {
	"../libexec/splicebench/compare_main.py",
	"../../bench/compare_main.py",
};

/* The Python half starts this same program for its loads. */
static int program_path(char *ret_path, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", ret_path, size - 1);
	if (len <= 0)
		return -errno;
	ret_path[len] = '\0';
	if (getenv("SPLICEBENCH_BINARY") == NULL)
		(void)setenv("SPLICEBENCH_BINARY", ret_path, 1);
	return 0;
}

static int command_compare(int count, char **words)
{
	static char program[PATH_BYTES], path[2 * PATH_BYTES];
	char *arguments[COMPARE_WORDS_MAX + 2] = {(char *)(size_t)python, path};
	if (count > COMPARE_WORDS_MAX) {
		fprintf(stderr,
			"splicebench compare: too many arguments. Try 'splicebench compare --help'.\n");
		return 2;
	}
	if (program_path(program, sizeof(program)) < 0) {
		fprintf(stderr, "splicebench compare: cannot find itself: %s.\n", strerror(errno));
		return 1;
	}
	for (int i = 1; i < count; i++)
		arguments[i + 1] = words[i];
	*strrchr(program, '/') = '\0';
	for (unsigned i = 0; i < ARRAY_LENGTH(compare_places); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", program, compare_places[i]);
		if (access(path, R_OK) != 0)
			continue;
		(void)execv(python, arguments);
		fprintf(stderr, "splicebench compare: cannot start %s: %s.\n", python, strerror(errno));
		return 1;
	}
	fprintf(stderr, "splicebench compare: its Python half is not where it should be: %s.\n", path);
	return 1;
}

#if !defined(BENCH_HAS_ECHO) || !defined(BENCH_HAS_WATCH)
static int missing(int count, char **words)
{
	(void)count;
	fprintf(stderr, "splicebench: this build has no '%s'.\n", words[0]);
	return 2;
}
#endif
#ifndef BENCH_HAS_ECHO
#define command_echo  missing
#define command_burst missing
#endif
#ifndef BENCH_HAS_WATCH
#define command_watch missing
#endif

static const struct {
	const char *name, *summary;
	int (*run)(int count, char **words);
} commands[] = {
	{"serve", "serve the loads below: sink, source, echo or answer", command_serve},
	{"bulk", "streams as fast as the path takes them", command_bulk},
	{"pingpong", "messages and answers, one after the other or at a rate", command_pingpong},
	{"churn", "connect, an exchange or more, close, again", command_churn},
	{"idle", "connections that are up and quiet", command_idle},
	{"dribble", "single bytes at a rate", command_dribble},
	{"incast", "bursts on all connections at the same moment", command_incast},
	{"echo", "echo servers, one for each way to move bytes", command_echo},
	{"burst", "time the complete echo of blocks", command_burst},
	{"watch", "what processes and the machine spend meanwhile", command_watch},
	{"compare", "measure spliced beside haproxy, nginx and others", command_compare},
};

static void help_print(FILE *out)
{
	fputs("usage: splicebench COMMAND [FLAGS]\n\n", out);
	for (unsigned i = 0; i < ARRAY_LENGTH(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'splicebench COMMAND --help' lists its flags.\n", out);
}

int main(int count, char **words)
{
	if (count < 2) {
		help_print(stderr);
		return 2;
	}
	if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0) {
		help_print(stdout);
		return 0;
	}
	if (strcmp(words[1], "--version") == 0) {
		puts("splicebench " SPLICED_VERSION);
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(commands); i++)
		if (strcmp(words[1], commands[i].name) == 0)
			return commands[i].run(count - 1, words + 1);
	fprintf(stderr, "splicebench: there is no command '%s'. Try 'splicebench --help'.\n", words[1]);
	return 2;
}
