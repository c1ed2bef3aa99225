/* The command `splicebench burst`: flags and exit status. */
#include "burst.h"

#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "../number.h"
#include "base/fd.h"
#include "splicebench.h"
#include "usage.h"

enum {
	SIZE_DEFAULT = 128 * 1024,
	COUNT_DEFAULT = 1000,
	WARMUP_DEFAULT = 10,
	SETTLE_MS_DEFAULT = 100,
	PAUSE_US_MAX = 10000000,
	SETTLE_MS_MAX = 10000,
	BUSY_POLL_US_MAX = 1000000,
	SECONDS_MAX = 3600,
};

static void print_help(void)
{
	printf("usage: splicebench burst --to ADDR:PORT [flags]\n\n"
	       "Sends a block to an echo server and times until all of it is back.\n\n"
	       "  --to ADDR:PORT   the echo server\n"
	       "  --size BYTES     of a block, 1 to 64m; k and m stand for KiB and MiB (128k)\n"
	       "  --count N        blocks to time, one after another (1000)\n"
	       "  --seconds S      end after S seconds even when fewer blocks were sent\n"
	       "  --warmup N       blocks before, not timed but with their errors counted (10)\n"
	       "  --gap-us N       pause between blocks (0)\n"
	       "  --settle-ms N    pause after connecting (100)\n"
	       "  --busy-poll US   set SO_BUSY_POLL on the own socket\n"
	       "  --congestion NAME\n"
	       "                   congestion control of the own socket\n"
	       "  --verify         compare every byte with a pattern that no other place of the\n"
	       "                   stream has, outside of the timed part (the default)\n"
	       "  --no-verify      only count the bytes\n"
	       "  --csv FILE       write a line for each block\n"
	       "  --json           one JSON object on stdout\n\n"
	       "A block that is wrong, ends early or does not move for 2 s is counted as an\n"
	       "error and not timed; the connection is made anew; ten errors end the run.\n"
	       "Exit status: 0 without errors, 1 with errors, 2 for wrong flags.\n");
}

static const struct option flags[] = {{"to", required_argument, NULL, 't'},
	{"size", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'n'},
	{"seconds", required_argument, NULL, 'S'}, {"warmup", required_argument, NULL, 'w'},
	{"gap-us", required_argument, NULL, 'g'}, {"settle-ms", required_argument, NULL, 'e'},
	{"busy-poll", required_argument, NULL, 'b'}, {"verify", no_argument, NULL, 'v'},
	{"no-verify", no_argument, NULL, 'x'}, {"congestion", required_argument, NULL, 'C'},
	{"csv", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* Returns 0 or the status of a refusal. */
static int take_number(const char *name, uint64_t min, uint64_t max, unsigned *ret_value)
{
	uint64_t value;

	if (!number_parse(optarg, min, max, &value))
		return usage_refuse("burst", "--%s takes a number from %llu to %llu, not '%s'", name,
			(unsigned long long)min, (unsigned long long)max, optarg);
	*ret_value = (unsigned)value;
	return 0;
}

static int take_size(size_t *ret_size)
{
	uint64_t value;

	if (!number_parse_size(optarg, BURST_SIZE_MIN, BURST_SIZE_MAX, &value))
		return usage_refuse("burst", "--size takes 1 to 64m bytes, not '%s'", optarg);
	*ret_size = (size_t)value;
	return 0;
}

static int take_flag(int found, struct burst_options *options, char **words)
{
	switch (found) {
	case 't':
		options->to_text = optarg;
		return 0;
	case 's':
		return take_size(&options->size);
	case 'n':
		return take_number("count", 1, BURST_COUNT_MAX, &options->count);
	case 'S':
		if (number_parse_decimal(optarg, DBL_MIN, SECONDS_MAX, &options->seconds))
			return 0;
		return usage_refuse(
			"burst", "--seconds takes a number up to %d, not '%s'", SECONDS_MAX, optarg);
	case 'w':
		return take_number("warmup", 0, BURST_COUNT_MAX, &options->warmup);
	case 'g':
		return take_number("gap-us", 0, PAUSE_US_MAX, &options->gap_us);
	case 'e':
		return take_number("settle-ms", 0, SETTLE_MS_MAX, &options->settle_ms);
	case 'b':
		return take_number("busy-poll", 1, BUSY_POLL_US_MAX, &options->busy_poll_us);
	case 'v':
	case 'x':
		options->is_verified = found == 'v';
		return 0;
	case 'C':
		options->congestion = optarg;
		return 0;
	case 'c':
		options->csv = optarg;
		return 0;
	case 'j':
		options->is_json = true;
		return 0;
	default:
		return usage_refuse_option("burst", found, words);
	}
}

static bool has_congestion(const char *name)
{
	FD_AUTO int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

static int run_and_report(const struct burst_options *options)
{
	struct burst_run run;
	int error, status;

	if (options->congestion && !has_congestion(options->congestion)) {
		fprintf(stderr, "splicebench burst: congestion control '%s': %s\n", options->congestion,
			errno == ENOENT ? "the kernel has none of this name" : strerror(errno));
		return 1;
	}
	error = burst_run(options, &run);
	if (error < 0) {
		fprintf(stderr, "splicebench burst: %s\n", strerror(-error));
		return 1;
	}
	error = burst_report(options, &run);
	if (error < 0)
		fprintf(stderr, "splicebench burst: the report could not be written: %s\n", strerror(-error));
	if (run.failures[BURST_CONNECT] > 0)
		fprintf(stderr, "splicebench burst: cannot connect to %s\n", options->to_text);
	status = error < 0 || burst_failures(&run) > 0 ? 1 : 0;
	burst_run_release(&run);
	return status;
}

int command_burst(int count, char **words)
{
	struct burst_options options = {.size = SIZE_DEFAULT,
		.count = COUNT_DEFAULT,
		.warmup = WARMUP_DEFAULT,
		.settle_ms = SETTLE_MS_DEFAULT,
		.is_verified = true};
	const char *reason = NULL;
	int found;

	opterr = 0;
	optind = 1;
	while ((found = getopt_long(count, words, ":h", flags, NULL)) != -1) {
		int status;

		if (found == 'h') {
			print_help();
			return 0;
		}
		status = take_flag(found, &options, words);
		if (status != 0)
			return status;
	}
	if (optind < count)
		return usage_refuse("burst", "'%s' is not a flag", words[optind]);
	if (!options.to_text)
		return usage_refuse("burst", "--to is missing");
	if (!usage_parse_address(options.to_text, &options.to, &reason))
		return usage_refuse("burst", "--to %s: %s", options.to_text, reason);
	return run_and_report(&options);
}
