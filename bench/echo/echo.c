/* The command `splicebench echo`: the table of methods, the flags, the listener. */
#include "echo.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../number.h"
#include "base/fd.h"
#include "splicebench.h"
#include "usage.h"

enum { BUSY_POLL_US_MAX = 1000000, METHOD_COLUMN = 14 };

struct method {
	const char *name;
	const char *summary;
	echo_serve serve; /* NULL: why_missing says why */
	const char *why_missing;
};

#ifdef ECHO_HAS_URING
#define URING(serve) serve, NULL
#else
#define URING(serve) NULL, "this build has no liburing"
#endif
#ifdef ECHO_HAS_SOCKMAP
#define SOCKMAP(serve) serve, NULL
#else
#define SOCKMAP(serve) NULL, "this build has no BPF program: it needs clang, bpftool and libbpf"
#endif

static const struct method methods[] = {
	{"naive", "blocking read and write, one connection after another", echo_naive_serve, NULL},
	{"iosubmit", "write and read as one batch of io_submit(2), one connection after another",
		echo_iosubmit_serve, NULL},
	{"splice", "splice(2) to a pipe and back, one connection after another", echo_splice_serve, NULL},
	{"uring", "io_uring recv and send", URING(echo_uring_serve)},
	{"uring-link", "io_uring, two linked splices", URING(echo_uring_link_serve)},
	{"uring-sqpoll", "io_uring recv and send, a kernel thread polls for submissions",
		URING(echo_uring_sqpoll_serve)},
	{"sockmap", "a BPF program sends each segment back; naive, it may lose or repeat bytes",
		SOCKMAP(echo_sockmap_serve)},
	{"thread", "blocking read and write, a thread for each connection", echo_thread_serve, NULL},
};

static void print_help(void)
{
	printf("usage: splicebench echo --how METHOD --listen ADDR:PORT [flags]\n\n"
	       "Sends back whatever comes, until it is ended.  Port 0 takes a free port; the\n"
	       "first line on stdout names the address.\n\n"
	       "  --how METHOD        how bytes get from the socket back to it:\n");
	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
		printf("      %-*s  %s\n", METHOD_COLUMN, methods[i].name, methods[i].summary);
		if (!methods[i].serve)
			printf("      %-*s  not available: %s\n", METHOD_COLUMN, "", methods[i].why_missing);
	}
	printf("  --listen ADDR:PORT  where to accept connections\n"
	       "  --busy-poll US      set SO_BUSY_POLL to US microseconds on the accepted sockets\n"
	       "  --congestion NAME   congestion control of the accepted sockets\n"
	       "  --once              end after the first connection\n");
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static int listen_and_serve(const struct method *method, const struct echo_options *options)
{
	FD_AUTO int listener = echo_listen(options);
	char text[ADDRESS_TEXT_MAX];

	if (listener == -ENOENT) {
		fprintf(stderr, "splicebench echo: the kernel has no congestion control '%s'\n",
			options->congestion);
		return 1;
	}
	if (listener < 0) {
		address_print(&options->listen, text, sizeof(text));
		fprintf(stderr, "splicebench echo: cannot listen on %s: %s\n", text, strerror(-listener));
		return 1;
	}
	return method->serve(options, listener);
}

static int start_method(const char *name, const struct echo_options *options)
{
	const struct method *method = find_method(name);
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (!method)
		return usage_refuse("echo", "unknown method '%s'", name);
	if (!method->serve) {
		fprintf(stderr, "splicebench echo: %s is not available here: %s\n", name,
			method->why_missing);
		return 1;
	}
	sigaction(SIGPIPE, &ignore, NULL); /* splice(2) has no MSG_NOSIGNAL */
	return listen_and_serve(method, options);
}

static const struct option flags[] = {{"how", required_argument, NULL, 'w'},
	{"listen", required_argument, NULL, 'l'}, {"busy-poll", required_argument, NULL, 'b'},
	{"congestion", required_argument, NULL, 'c'}, {"once", no_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

int command_echo(int count, char **words)
{
	struct echo_options options = {0};
	const char *name = NULL, *listen_text = NULL, *reason = NULL;
	uint64_t busy_poll_us = 0;
	int found;

	opterr = 0;
	optind = 1;
	while ((found = getopt_long(count, words, ":h", flags, NULL)) != -1) {
		if (found == 'w')
			name = optarg;
		else if (found == 'l')
			listen_text = optarg;
		else if (found == 'c')
			options.congestion = optarg;
		else if (found == 'o')
			options.is_once = true;
		else if (found == 'b' && !number_parse(optarg, 1, BUSY_POLL_US_MAX, &busy_poll_us))
			return usage_refuse("echo", "--busy-poll takes 1 to %d microseconds, not '%s'",
				BUSY_POLL_US_MAX, optarg);
		else if (found == 'h') {
			print_help();
			return 0;
		} else if (found != 'b')
			return usage_refuse_option("echo", found, words);
	}
	if (optind < count)
		return usage_refuse("echo", "'%s' is not a flag", words[optind]);
	if (!name || !listen_text)
		return usage_refuse("echo", "%s is missing", name ? "--listen" : "--how");
	if (!usage_parse_listen_address(listen_text, &options.listen, &reason))
		return usage_refuse("echo", "--listen %s: %s", listen_text, reason);
	options.busy_poll_us = (unsigned)busy_poll_us;
	return start_method(name, &options);
}
