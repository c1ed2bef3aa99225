/* The flags of the load commands and of the server; see options.h. */
#include "options.h"

#include "../number.h"
#include "base/check.h"
#include "base/text.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	ON_SERVE = 1 << LOAD_SERVE,
	ON_BULK = 1 << LOAD_BULK,
	ON_PINGPONG = 1 << LOAD_PINGPONG,
	ON_CHURN = 1 << LOAD_CHURN,
	ON_IDLE = 1 << LOAD_IDLE,
	ON_DRIBBLE = 1 << LOAD_DRIBBLE,
	ON_INCAST = 1 << LOAD_INCAST,
	ON_ALL = (1 << (LOAD_INCAST + 1)) - 1,
	ON_LOADS = ON_ALL & ~ON_SERVE,
	ON_ASKERS = ON_PINGPONG | ON_CHURN | ON_INCAST,
	ON_PACED = ON_PINGPONG | ON_DRIBBLE | ON_INCAST,
	REASON_BYTES = 256,
	DELAY_US_MAX = 1000000,
	STALL_EVERY_MS_MAX = 3600000,
	MESSAGES_MAX = 1000000,
};

static const uint64_t SEED_MAX = 9000000000000000;

static const char *const summaries[] = {
	[LOAD_SERVE] = "the server of all loads: sinks, sources, echoes or answers, as each connection asks",
	[LOAD_BULK] = "streams as fast as the path takes them",
	[LOAD_PINGPONG] = "messages and their answers: one after the other, or at a given rate",
	[LOAD_CHURN] = "connect, an exchange or more, close, and again",
	[LOAD_IDLE] = "connections that are up and quiet",
	[LOAD_DRIBBLE] = "single bytes at a given rate",
	[LOAD_INCAST] = "bursts on all connections at the same moment",
};

/* Sets what the argument says; false with a reason when it is wrong. */
typedef bool (*option_set)(struct load_options *options, const char *argument, char *ret_reason);

struct option_row {
	const char *name;
	const char *argument; /* NULL: a switch */
	int commands;
	option_set set;
	const char *text;
};

static bool whole_read(const char *argument, uint64_t max, uint64_t *ret_value, char *ret_reason)
{
	if (number_parse(argument, 1, max, ret_value))
		return true;
	(void)snprintf(ret_reason, REASON_BYTES, "wants a whole number from 1 to %" PRIu64, max);
	return false;
}

static bool decimal_read(const char *argument, double min, double max, double *ret_value, char *ret_reason)
{
	if (number_parse_decimal(argument, min, max, ret_value))
		return true;
	(void)snprintf(ret_reason, REASON_BYTES, "wants a number from %g to %g", min, max);
	return false;
}

static bool place_read(const char *argument, bool is_netns_allowed, struct place *ret_place, char *ret_reason)
{
	const char *why;
	if (place_parse(argument, is_netns_allowed, ret_place, &why) == 0)
		return true;
	(void)snprintf(ret_reason, REASON_BYTES, "wants ADDR:PORT, [IPv6]:PORT or /path: %s", why);
	return false;
}

static bool set_to(struct load_options *options, const char *argument, char *ret_reason)
{
	options->has_to = true;
	return place_read(argument, false, &options->to, ret_reason);
}

static bool set_server(struct load_options *options, const char *argument, char *ret_reason)
{
	options->has_server = true;
	return place_read(argument, true, &options->server, ret_reason);
}

static bool set_listen(struct load_options *options, const char *argument, char *ret_reason)
{
	options->has_listen = true;
	return place_read(argument, true, &options->listen, ret_reason);
}

static bool set_connections(struct load_options *options, const char *argument, char *ret_reason)
{
	uint64_t value = 0;
	bool is_read = whole_read(argument, OPTIONS_CONNECTIONS_MAX, &value, ret_reason);
	options->connections = (unsigned)value;
	return is_read;
}

static bool set_threads(struct load_options *options, const char *argument, char *ret_reason)
{
	uint64_t value = 0;
	bool is_read = whole_read(argument, OPTIONS_THREADS_MAX, &value, ret_reason);
	options->threads = (unsigned)value;
	return is_read;
}

static bool set_seconds(struct load_options *options, const char *argument, char *ret_reason)
{
	options->has_seconds = true;
	return decimal_read(argument, 0.01, 86400, &options->seconds, ret_reason);
}

static bool set_warmup(struct load_options *options, const char *argument, char *ret_reason)
{
	return decimal_read(argument, 0, 3600, &options->warmup_s, ret_reason);
}

static bool size_read(const char *argument, uint32_t *ret_value, char *ret_reason)
{
	uint64_t value;
	if (number_parse_size(argument, 1, OPTIONS_MESSAGE_BYTES_MAX, &value)) {
		*ret_value = (uint32_t)value;
		return true;
	}
	(void)snprintf(
		ret_reason, REASON_BYTES, "wants a size from 1 to %dM", OPTIONS_MESSAGE_BYTES_MAX >> 20);
	return false;
}

static bool set_size(struct load_options *options, const char *argument, char *ret_reason)
{
	return size_read(argument, &options->size, ret_reason);
}

static bool set_answer(struct load_options *options, const char *argument, char *ret_reason)
{
	return size_read(argument, &options->answer, ret_reason);
}

static bool set_direction(struct load_options *options, const char *argument, char *ret_reason)
{
	static const char *const names[] = {"up", "down", "both"};
	for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
		if (strcmp(argument, names[i]) != 0)
			continue;
		options->direction = (enum direction)i;
		return true;
	}
	(void)snprintf(ret_reason, REASON_BYTES, "wants up, down or both");
	return false;
}

static bool set_rate(struct load_options *options, const char *argument, char *ret_reason)
{
	return decimal_read(argument, 0.1, 1e8, &options->rate, ret_reason);
}

static bool set_arrivals(struct load_options *options, const char *argument, char *ret_reason)
{
	bool is_poisson = strcmp(argument, "poisson") == 0;
	options->arrival = is_poisson ? ARRIVAL_POISSON : ARRIVAL_EVEN;
	if (is_poisson || strcmp(argument, "even") == 0)
		return true;
	(void)snprintf(ret_reason, REASON_BYTES, "wants even or poisson");
	return false;
}

static bool set_sample_every(struct load_options *options, const char *argument, char *ret_reason)
{
	uint64_t value = 0;
	bool is_read = whole_read(argument, 4096, &value, ret_reason);
	options->sample_every = value * 1024 * 1024;
	return is_read;
}

static bool set_delay(struct load_options *options, const char *argument, char *ret_reason)
{
	return whole_read(argument, DELAY_US_MAX, &options->delay_us, ret_reason);
}

static bool set_stall(struct load_options *options, const char *argument, char *ret_reason)
{
	const char *end;
	uint64_t stall, every;
	if (number_begin(argument, &end, &stall) && *end == ':' &&
		number_parse(end + 1, 1, STALL_EVERY_MS_MAX, &every) && stall > 0 && stall < every) {
		options->stall_ms = (unsigned)stall;
		options->stall_every_ms = (unsigned)every;
		return true;
	}
	(void)snprintf(ret_reason, REASON_BYTES, "wants MS:EVERY, two whole numbers, the first the smaller");
	return false;
}

static bool set_seed(struct load_options *options, const char *argument, char *ret_reason)
{
	return whole_read(argument, SEED_MAX, &options->seed, ret_reason);
}

static bool set_sampled(struct load_options *options, const char *argument, char *ret_reason)
{
	(void)argument, (void)ret_reason;
	return options->is_sampled = true;
}

static bool set_json(struct load_options *options, const char *argument, char *ret_reason)
{
	(void)argument, (void)ret_reason;
	return options->is_json = true;
}

static bool set_messages(struct load_options *options, const char *argument, char *ret_reason)
{
	uint64_t value = 0;
	bool is_read = whole_read(argument, MESSAGES_MAX, &value, ret_reason);
	options->messages = (unsigned)value;
	return is_read;
}

static bool set_reset(struct load_options *options, const char *argument, char *ret_reason)
{
	(void)argument, (void)ret_reason;
	return options->is_reset = true;
}

static bool set_hold(struct load_options *options, const char *argument, char *ret_reason)
{
	(void)argument, (void)ret_reason;
	return options->is_held = true;
}

static bool set_no_half_close(struct load_options *options, const char *argument, char *ret_reason)
{
	(void)argument, (void)ret_reason;
	return options->is_half_close_off = true;
}

static const struct option_row rows[] = {
	{"to", "ADDR:PORT", ON_LOADS, set_to, "where the load goes: IPv4, [IPv6] or /path"},
	{"with-server", "ADDR:PORT[@NETNS]", ON_LOADS, set_server,
		"serve there too, in the same threads, in a network namespace if one is named"},
	{"listen", "ADDR:PORT[@NETNS]", ON_SERVE, set_listen, "where to serve"},
	{"connections", "N", ON_LOADS, set_connections, "how many at once (1)"},
	{"threads", "N", ON_ALL, set_threads, "how many (1)"},
	{"seconds", "S", ON_ALL, set_seconds, "how long to measure (5); serve: then end"},
	{"warmup", "S", ON_LOADS, set_warmup, "how long before that (a fifth, at most 1)"},
	{"size", "BYTES", ON_ASKERS | ON_IDLE, set_size,
		"of a message (64; idle: 1), k and m for KiB and MiB"},
	{"answer", "BYTES", ON_ASKERS, set_answer, "of its answer (an echo)"},
	{"direction", "up|down|both", ON_BULK, set_direction, "up goes to the server (up)"},
	{"rate", "N", ON_PACED, set_rate,
		"messages a second in all; pingpong: none is closed loop; dribble: bytes (100 on each "
		"connection); incast: bursts (10)"},
	{"arrivals", "even|poisson", ON_PACED, set_arrivals, "how a rate is spread (even)"},
	{"sampled", NULL, ON_BULK | ON_ASKERS, set_sampled,
		"check some of the bytes, move the rest untouched"},
	{"sample-every", "MIB", ON_BULK | ON_ASKERS | ON_SERVE, set_sample_every,
		"of which 64 KiB are checked (16)"},
	{"messages", "N", ON_CHURN, set_messages, "of each connection (1)"},
	{"reset", NULL, ON_CHURN, set_reset, "close by reset"},
	{"hold", NULL, ON_IDLE, set_hold, "until standard input ends, not for --seconds"},
	{"no-half-close", NULL, ON_LOADS & ~ON_CHURN, set_no_half_close,
		"close at the end, for paths that carry no half-close; then no verdict comes"},
	{"seed", "N", ON_LOADS, set_seed, "of the bytes and of random distances (1)"},
	{"delay-us", "N", ON_SERVE, set_delay, "sleep before each answer"},
	{"stall-ms-every", "MS:EVERY", ON_SERVE, set_stall, "sleep MS milliseconds in each EVERY"},
	{"json", NULL, ON_ALL, set_json, "one object on standard output"},
};
enum { HELP_VALUE = 1000, ROWS = ARRAY_LENGTH(rows) };

static void help_print(enum load_command command, const char *name)
{
	printf("splicebench %s: %s.\n\nFlags:\n", name, summaries[command]);
	for (unsigned i = 0; i < ROWS; i++) {
		char flag[64];
		if ((rows[i].commands & (1 << command)) == 0)
			continue;
		(void)snprintf(flag, sizeof(flag), "--%s%s%s", rows[i].name,
			rows[i].argument != NULL ? " " : "",
			rows[i].argument != NULL ? rows[i].argument : "");
		printf("  %-32s %s\n", flag, rows[i].text);
	}
	printf("  %-32s %s\n", "--help", "this text");
}

static bool refuse(const char *name, const char *reason, int *ret_status)
{
	fprintf(stderr, "splicebench %s: %s. Try 'splicebench %s --help'.\n", name, reason, name);
	*ret_status = 2;
	return false;
}

static void table_make(enum load_command command, struct option *ret_table)
{
	unsigned count = 0;
	for (unsigned i = 0; i < ROWS; i++) {
		if ((rows[i].commands & (1 << command)) == 0)
			continue;
		int has_argument = rows[i].argument != NULL ? required_argument : no_argument;
		ret_table[count++] = (struct option){rows[i].name, has_argument, NULL, (int)i};
	}
	ret_table[count++] = (struct option){"help", no_argument, NULL, HELP_VALUE};
	ret_table[count] = (struct option){0};
}

static void defaults_set(enum load_command command, struct load_options *ret_options)
{
	*ret_options = (struct load_options){.command = command,
		.connections = 1,
		.threads = 1,
		.seconds = 5,
		.warmup_s = -1,
		.messages = 1,
		.size = command == LOAD_DRIBBLE || command == LOAD_IDLE ? 1 : 64,
		.sample_every = 16 * 1024 * 1024,
		.seed = 1};
}

/* What no single flag can say; NULL when all is well. */
static const char *contradiction_find(const struct load_options *options)
{
	if (options->command == LOAD_SERVE)
		return options->has_listen ? NULL : "--listen is missing";
	if (!options->has_to && !options->has_server)
		return "--to is missing";
	if (!options->has_to && options->server.netns[0] != '\0')
		return "--to is missing: a server in another namespace is not reached from here by itself";
	if (options->threads > options->connections)
		return "--threads is more than --connections";
	if (options->arrival == ARRIVAL_POISSON && options->command == LOAD_PINGPONG && options->rate == 0)
		return "--arrivals poisson needs --rate";
	return NULL;
}

static void blanks_fill(struct load_options *options)
{
	if (options->command != LOAD_SERVE && !options->has_to)
		options->to = options->server;
	if (options->warmup_s < 0)
		options->warmup_s = fmin(1, options->seconds / 5);
	if (options->command == LOAD_IDLE)
		options->warmup_s = 0;
	if (options->rate == 0 && options->command == LOAD_DRIBBLE)
		options->rate = 100.0 * options->connections;
	if (options->rate == 0 && options->command == LOAD_INCAST)
		options->rate = 10;
}

static bool row_take(
	const struct option_row *row, const char *name, struct load_options *options, int *ret_status)
{
	char reason[REASON_BYTES], sentence[REASON_BYTES * 2];
	if (row->set(options, optarg, reason))
		return true;
	(void)snprintf(sentence, sizeof(sentence), "--%s %s, not '%s'", row->name, reason, optarg);
	return refuse(name, sentence, ret_status);
}

bool options_read(
	enum load_command command, int count, char **words, struct load_options *ret_options, int *ret_status)
{
	struct option table[ROWS + 2];
	char sentence[REASON_BYTES];
	int value;
	table_make(command, table);
	defaults_set(command, ret_options);
	opterr = 0;
	optind = 0;
	while ((value = getopt_long(count, words, "+:", table, NULL)) != -1) {
		if (value == HELP_VALUE) {
			help_print(command, words[0]);
			*ret_status = 0;
			return false;
		}
		if (value == '?' || value == ':') {
			(void)snprintf(sentence, sizeof(sentence), "%s '%s'",
				value == '?' ? "there is no flag" : "an argument is missing after",
				words[optind - 1]);
			return refuse(words[0], sentence, ret_status);
		}
		CHECK(value >= 0 && value < (int)ROWS);
		if (!row_take(&rows[value], words[0], ret_options, ret_status))
			return false;
	}
	if (optind < count) {
		(void)snprintf(sentence, sizeof(sentence), "'%s' is not a flag", words[optind]);
		return refuse(words[0], sentence, ret_status);
	}
	const char *contradiction = contradiction_find(ret_options);
	if (contradiction != NULL)
		return refuse(words[0], contradiction, ret_status);
	blanks_fill(ret_options);
	return true;
}
