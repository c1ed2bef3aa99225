/* The rows of buffers, pipes and other sizes. */
#include <errno.h>
#include <string.h>

#include "config/keyword.h"
#include "config/values.h"

enum {
	BUFFER_BYTES_MIN = 4 * 1024,
	BUFFER_BYTES_MAX = 16 * 1024 * 1024,
	PIPE_BYTES_MIN = 4 * 1024,
	PIPE_BYTES_MAX = 64 * 1024 * 1024,
	WAKE_BYTES_MAX = 16 * 1024 * 1024,
	RING_BYTES_MIN = 256 * 1024,
	RING_BYTES_MAX = 512 * 1024 * 1024,
	SOCKET_BYTES_MAX = 1024 * 1024 * 1024,
};

/* What relay-tuning sets. */
static const struct tuning_row {
	const char *name;
	uint64_t min, max;
	size_t offset; /* of an unsigned, but for memory-max */
} tuning_rows[] = {
	{"buffer-size", BUFFER_BYTES_MIN, BUFFER_BYTES_MAX,
		MEMBER_OFFSET(struct config_global, buffer_bytes, unsigned)},
	{"pipe-size", PIPE_BYTES_MIN, PIPE_BYTES_MAX,
		MEMBER_OFFSET(struct config_global, pipe_bytes, unsigned)},
	{"memory-max", BUFFER_BYTES_MIN, UINT64_MAX / 2,
		MEMBER_OFFSET(struct config_global, held_bytes_max, uint64_t)},
	{"wake-bytes", 0, WAKE_BYTES_MAX, MEMBER_OFFSET(struct config_global, wake_bytes, unsigned)},
	{"ring-size", RING_BYTES_MIN, RING_BYTES_MAX,
		MEMBER_OFFSET(struct config_global, ring_bytes, unsigned)},
};

static const char *const tuning_names[] = {
	"buffer-size", "pipe-size", "memory-max", "wake-bytes", "ring-size", NULL};

static const struct tuning_row *tuning_row_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(tuning_rows); i++)
		if (strcmp(tuning_rows[i].name, name) == 0)
			return &tuning_rows[i];
	return NULL;
}

/* One size of relay-tuning within its range; reports. */
static int tuning_set(struct parser *parser, const struct statement *statement, const char *const *words)
{
	const struct tuning_row *row = tuning_row_find(words[0]);
	char *target = statement->target;
	uint64_t bytes;

	if (row == NULL)
		return statement_refuse_word(
			parser, statement, words[0], name_nearest(tuning_names, words[0]));
	if (value_parse_size(words[1], &bytes) != VALUE_OK || bytes < row->min || bytes > row->max) {
		report_alert(parser,
			"'relay-tuning %s' expects %llu to %llu bytes (k, m and g are understood), not '%s'",
			words[0], (unsigned long long)row->min, (unsigned long long)row->max, words[1]);
		return -EINVAL;
	}
	if (row->max > UINT32_MAX)
		*(uint64_t *)(void *)(target + row->offset) = bytes;
	else
		*(unsigned *)(void *)(target + row->offset) = (unsigned)bytes;
	return 0;
}

static int parse_relay_tuning(struct parser *parser, const struct statement *statement)
{
	unsigned at = 0;

	for (; at + 1 < statement->count; at += 2)
		if (tuning_set(parser, statement, statement->words + at) < 0)
			return -EINVAL;
	if (at == 0)
		return statement_refuse(parser, statement);
	return (int)at;
}

/* HAProxy's -1 means as many as there are. */
static int parse_maxaccept(struct parser *parser, const struct statement *statement)
{
	struct config_global *global = statement->target;
	uint64_t value;

	if (statement->count > 0 && strcmp(statement->words[0], "-1") == 0) {
		global->maxaccept = (unsigned)statement->keyword->max;
		return 1;
	}
	if (argument_count(parser, statement, 0, &value) < 0)
		return -EINVAL;
	global->maxaccept = (unsigned)value;
	return 1;
}

static int parse_bufsize(struct parser *parser, const struct statement *statement)
{
	uint64_t bytes;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (value_parse_size(statement->words[0], &bytes) != VALUE_OK) {
		report_alert(parser, "'tune.bufsize' expects bytes (k, m and g are understood), not '%s'",
			statement->words[0]);
		return -EINVAL;
	}
	report_warning(parser,
		"'tune.bufsize' has no effect: a connection keeps no buffer of its own here; 'relay-tuning buffer-size' sets the size of one read");
	return 1;
}

static int parse_nosplice(struct parser *parser, const struct statement *statement)
{
	(void)statement;
	parser->has_nosplice = true;
	parser->nosplice_place = parser->place;
	return 0;
}

#define SOCKET_BUFFER(member)                                                                 \
	.arguments = "<bytes>", .sections = IN_GLOBAL, SIZE_AT(struct config_global, member), \
	.max = SOCKET_BYTES_MAX, .unit = "bytes", .default_text = "0, the kernel's, which adapts"

static const struct keyword rows[] = {
	{
		.name = "maxpipes",
		.arguments = "<pipes>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, maxpipes),
		.max = INT32_MAX,
		.reload = RELOAD_RESTART,
		.default_text = "0, from 'maxconn'",
		.sentence =
			"Kernel pipes the splice engine may have at a time; further directions are copied.",
	},
	{
		.name = "nosplice",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_nosplice),
		.sentence =
			"Keeps bytes out of kernel pipes: switches 'option splice-...' off, and 'relay auto' and 'relay splice' become 'relay copy'. Gives a warning.",
	},
	{
		.name = "relay-tuning",
		.arguments =
			"buffer-size <bytes>, pipe-size <bytes>, wake-bytes <bytes>, ring-size <bytes> or memory-max <bytes>, ...",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_relay_tuning),
		.reload = RELOAD_RESTART,
		.default_text = "256k, 1m, 256k, 8m, and a memory-max worked out at start",
		.sentence =
			"Bytes of one read of the copy engine (4k to 16m), bytes of one pipe of the splice engine (4k to 64m), bytes for which a flow in full swing wakes its worker (0 for every one, to 16m), bytes of the buffers that all connections of a thread share in the uring engine (256k to 512m, rounded down to a power of two; taken when the first connection uses it), and the bytes that may wait in all copy buffers for slow receivers.",
	},
	{
		.name = "tune.bufsize",
		.arguments = "<bytes>",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_bufsize),
		.default_text = "without effect",
		.sentence =
			"Understood for the sake of existing files, without effect and with a warning: no connection keeps a buffer. See relay-tuning.",
	},
	{
		.name = "tune.maxaccept",
		.arguments = "<connections>",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_maxaccept),
		.min = 1,
		.max = 100000,
		.default_text = "64",
		.sentence =
			"Connections a thread accepts in a row before it serves those it has; -1 is as many as wait.",
	},
	{
		.name = "tune.pipesize",
		.arguments = "<bytes>",
		.sections = IN_GLOBAL,
		SIZE_AT(struct config_global, pipe_bytes),
		.min = PIPE_BYTES_MIN,
		.max = PIPE_BYTES_MAX,
		.unit = "bytes",
		.reload = RELOAD_RESTART,
		.default_text = "1m",
		.sentence = "The same as 'relay-tuning pipe-size'.",
	},
	{
		.name = "tune.rcvbuf.client",
		SOCKET_BUFFER(client_rcvbuf),
		.sentence =
			"Receive buffer of clients' sockets. A fixed size switches the kernel's own adaptation off.",
	},
	{
		.name = "tune.rcvbuf.server",
		SOCKET_BUFFER(server_rcvbuf),
		.sentence =
			"Receive buffer of servers' sockets. A fixed size switches the kernel's own adaptation off.",
	},
	{
		.name = "tune.sndbuf.client",
		SOCKET_BUFFER(client_sndbuf),
		.sentence =
			"Send buffer of clients' sockets. A fixed size switches the kernel's own adaptation off.",
	},
	{
		.name = "tune.sndbuf.server",
		SOCKET_BUFFER(server_sndbuf),
		.sentence =
			"Send buffer of servers' sockets. A fixed size switches the kernel's own adaptation off.",
	},
};

const struct keyword_table keywords_tuning = {rows, ARRAY_LENGTH(rows)};
