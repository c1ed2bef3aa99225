/* splicectl: asks a running spliced and prints its answers. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "connection.h"

enum { LINE_BYTES = 16 * 1024, TIMEOUT_MAX_S = 24 * 60 * 60 };

static const char default_socket[] = "/run/spliced/admin.sock";

static const char usage[] =
	"usage: splicectl [-s SOCKET] [-t SECONDS] [--json] COMMAND...\n"
	"       splicectl [-s SOCKET] [-t SECONDS] -\n"
	"       splicectl -h | -V\n"
	"\n"
	"Sends COMMAND to a running spliced and prints the answer; without one it asks\n"
	"for commands on a terminal, with - it reads them from standard input, one a line.\n"
	"\n"
	"  -s, --socket SOCKET    path or host:port of its stats socket\n"
	"                         (default: $SPLICED_SOCKET, then /run/spliced/admin.sock)\n"
	"  -t, --timeout SECONDS  how long to wait for an answer (default: 10)\n"
	"  -j, --json             JSON from those commands that have it: show info, show stat\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"splicectl help lists the commands.  The exit status is 0, 1 when there was no\n"
	"answer or it was an error, 2 for a wrong use of splicectl.\n";

enum { EXIT_USAGE = 2 };

static int usage_fail(const char *sentence)
{
	fprintf(stderr, "splicectl: %s\nTry 'splicectl -h'.\n", sentence);
	return EXIT_USAGE;
}

static int outcome_status(enum control_outcome outcome)
{
	return outcome == CONTROL_FINE ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool has_json(const char *line)
{
	return strncmp(line, "show info", 9) == 0 || strncmp(line, "show stat", 9) == 0;
}

static int words_ask(const struct control_options *options, char *const *words, bool wants_json)
{
	char line[LINE_BYTES];
	struct text text;
	text_init(&text, line, sizeof(line));
	for (; *words; words++) {
		if (text.len > 0)
			text_add_char(&text, ' ');
		text_add(&text, *words);
	}
	if (wants_json && !has_json(line))
		return usage_fail("only show info and show stat have JSON");
	if (wants_json)
		text_add(&text, " json");
	if (text.is_cut)
		return usage_fail("the command is too long");
	if (strchr(line, '\n'))
		return usage_fail("a command is one line");
	return outcome_status(control_ask(options, line));
}

/* One command a line; a terminal is asked with a prompt.  Fails when one failed. */
static int lines_ask(const struct control_options *options, bool is_prompting)
{
	char line[LINE_BYTES];
	int status = EXIT_SUCCESS;
	for (;;) {
		if (is_prompting) {
			fputs("spliced> ", stdout);
			fflush(stdout);
		}
		if (!fgets(line, sizeof(line), stdin))
			break;
		size_t len = strcspn(line, "\r\n");
		bool is_whole = line[len] != '\0' || feof(stdin);
		line[len] = '\0';
		if (!is_whole)
			return usage_fail("a line is too long");
		if (strspn(line, " \t") == len)
			continue;
		if (is_prompting && (strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0))
			return EXIT_SUCCESS;
		if (control_ask(options, line) != CONTROL_FINE && !is_prompting)
			status = EXIT_FAILURE;
	}
	if (is_prompting)
		putchar('\n');
	return status;
}

static bool seconds_parse(const char *text, unsigned *ret_ms)
{
	char *end = NULL;
	double seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0.001) || seconds > TIMEOUT_MAX_S)
		return false;
	*ret_ms = (unsigned)(seconds * 1000);
	return true;
}

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 't'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

int main(int argc, char **argv)
{
	bool wants_json = false;
	int option = 0;
	const char *address = getenv("SPLICED_SOCKET");
	struct control_options options = {
		.address = address && *address ? address : default_socket, .timeout_ms = 10000};
	while ((option = getopt_long(argc, argv, "+s:t:jhV", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			options.address = optarg;
			break;
		case 't':
			if (!seconds_parse(optarg, &options.timeout_ms))
				return usage_fail("a time-out is a number of seconds");
			break;
		case 'j':
			wants_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			printf("splicectl %s\n", SPLICED_VERSION);
			return EXIT_SUCCESS;
		default:
			return usage_fail("unknown option");
		}
	}
	if (optind < argc && strcmp(argv[optind], "-") == 0)
		return optind + 1 == argc ? lines_ask(&options, false) : usage_fail("nothing may follow -");
	if (optind < argc)
		return words_ask(&options, argv + optind, wants_json);
	if (!isatty(STDIN_FILENO))
		return usage_fail("a command is missing");
	return lines_ask(&options, true);
}
