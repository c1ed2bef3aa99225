/* The parser of watch_options.h. */
#include "watch_options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../number.h"

enum {
	SECONDS_MAX = 7 * 24 * 3600,
	EVERY_MS_MIN = 10,
	EVERY_MS_MAX = 60 * 1000,
};

const char watch_options_help[] =
	"Usage: splicebench watch --pid PID[,PID...] [options]\n"
	"Reports what processes, with all their threads, and the whole machine cost.\n"
	"\n"
	"  --pid PID[,PID...]  the processes to watch, at most 8\n"
	"  --seconds S         how long; without it until SIGINT or SIGTERM, which always end it\n"
	"  --warmup S          begin S seconds after the start of the command\n"
	"  --json              print one JSON object instead of a table\n"
	"  --every MS          print one JSON line per interval, and the report as the last line\n"
	"  --port PORT         with --every: the queues of the TCP sockets on this local port\n"
	"  --source NAME       auto (BPF where it can be had, the default), bpf, or proc\n"
	"  --help              print this text\n";

/* A decimal number of units, as microseconds. */
static bool duration_parse(const char *text, double unit_us, double max, uint64_t *ret_us)
{
	double value;
	if (!number_parse_decimal(text, 0, max, &value))
		return false;
	*ret_us = (uint64_t)llround(value * unit_us);
	return true;
}

static int refuse(char *ret_reason, const char *format, const char *argument)
{
	snprintf(ret_reason, WATCH_OPTIONS_REASON_MAX, format, argument);
	return -EINVAL;
}

static int pid_add(struct watch_options *options, const char *text, char *ret_reason)
{
	uint64_t pid;
	if (!number_parse(text, 1, INT_MAX, &pid))
		return refuse(ret_reason, "--pid wants process numbers, not '%.40s'", text);
	for (size_t i = 0; i < options->pids_used; i++)
		if (options->pids[i] == (pid_t)pid)
			return refuse(ret_reason, "process %.40s is named twice", text);
	if (options->pids_used == WATCH_PROCESSES_MAX)
		return refuse(ret_reason, "at most 8 processes can be watched: %.40s is one too many", text);
	options->pids[options->pids_used++] = (pid_t)pid;
	return 0;
}

static int pids_parse(struct watch_options *options, const char *list, char *ret_reason)
{
	char text[16];
	for (;;) {
		size_t len = strcspn(list, ",");
		if (len >= sizeof(text))
			return refuse(ret_reason, "--pid wants process numbers, not '%.40s'", list);
		memcpy(text, list, len);
		text[len] = '\0';
		int result = pid_add(options, text, ret_reason);
		if (result < 0 || list[len] == '\0')
			return result;
		list += len + 1;
	}
}

static int seconds_parse(struct watch_options *options, const char *text, char *ret_reason)
{
	if (!duration_parse(text, 1e6, SECONDS_MAX, &options->seconds_us) || options->seconds_us == 0)
		return refuse(
			ret_reason, "--seconds wants a number above 0 and up to a week, not '%.40s'", text);
	return 0;
}

static int warmup_parse(struct watch_options *options, const char *text, char *ret_reason)
{
	if (!duration_parse(text, 1e6, SECONDS_MAX, &options->warmup_us))
		return refuse(
			ret_reason, "--warmup wants a number of seconds up to a week, not '%.40s'", text);
	return 0;
}

static int every_parse(struct watch_options *options, const char *text, char *ret_reason)
{
	if (!duration_parse(text, 1e3, EVERY_MS_MAX, &options->every_us) ||
		options->every_us < EVERY_MS_MIN * 1000)
		return refuse(ret_reason, "--every wants 10 to 60000 milliseconds, not '%.40s'", text);
	return 0;
}

static int port_parse(struct watch_options *options, const char *text, char *ret_reason)
{
	uint64_t port;
	if (!number_parse(text, 1, UINT16_MAX, &port))
		return refuse(ret_reason, "--port wants a port from 1 to 65535, not '%.40s'", text);
	options->port = (uint16_t)port;
	return 0;
}

static int source_parse(struct watch_options *options, const char *text, char *ret_reason)
{
	static const struct {
		const char *name;
		enum watch_source source;
	} rows[] = {{"auto", WATCH_SOURCE_AUTO}, {"bpf", WATCH_SOURCE_BPF}, {"proc", WATCH_SOURCE_PROC}};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (strcmp(text, rows[i].name) == 0) {
			options->source = rows[i].source;
			return 0;
		}
	}
	return refuse(ret_reason, "--source is auto, bpf or proc, not '%.40s'", text);
}

enum {
	OPTION_PID = 256,
	OPTION_SECONDS,
	OPTION_WARMUP,
	OPTION_EVERY,
	OPTION_PORT,
	OPTION_SOURCE,
	OPTION_JSON
};

static const struct option long_options[] = {
	{"pid", required_argument, NULL, OPTION_PID},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"warmup", required_argument, NULL, OPTION_WARMUP},
	{"every", required_argument, NULL, OPTION_EVERY},
	{"port", required_argument, NULL, OPTION_PORT},
	{"source", required_argument, NULL, OPTION_SOURCE},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int option_apply(int option, struct watch_options *options, char **argv, char *ret_reason)
{
	switch (option) {
	case OPTION_PID:
		return pids_parse(options, optarg, ret_reason);
	case OPTION_SECONDS:
		return seconds_parse(options, optarg, ret_reason);
	case OPTION_WARMUP:
		return warmup_parse(options, optarg, ret_reason);
	case OPTION_EVERY:
		return every_parse(options, optarg, ret_reason);
	case OPTION_PORT:
		return port_parse(options, optarg, ret_reason);
	case OPTION_SOURCE:
		return source_parse(options, optarg, ret_reason);
	case OPTION_JSON:
		options->is_json = true;
		return 0;
	case 'h':
		options->is_help = true;
		return 0;
	case ':':
		return refuse(ret_reason, "%.60s wants a value", argv[optind - 1]);
	}
	return refuse(ret_reason, "there is no option %.60s, or not with a value", argv[optind - 1]);
}

static int options_check(const struct watch_options *options, char *ret_reason)
{
	if (options->pids_used == 0)
		return refuse(ret_reason, "which process is to be watched must be said with %s", "--pid");
	if (options->port != 0 && options->every_us == 0)
		return refuse(ret_reason, "--port needs %s", "--every");
	return 0;
}

int watch_options_parse(int argc, char **argv, struct watch_options *ret_options, char *ret_reason)
{
	struct watch_options options = {.seconds_us = UINT64_MAX};
	int option;
	optind = 0; /* the main program may have used getopt already */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
		int result = option_apply(option, &options, argv, ret_reason);
		if (result < 0)
			return result;
	}
	if (!options.is_help && optind < argc)
		return refuse(ret_reason, "there is no argument '%.40s'", argv[optind]);
	int result = options.is_help ? 0 : options_check(&options, ret_reason);
	if (result == 0)
		*ret_options = options;
	return result;
}
