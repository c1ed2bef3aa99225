/* One log line into a struct config_log. */
#include "config/log_line.h"

#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "config/argument.h"
#include "config/values.h"

static const struct lookup facilities[] = {
	{"kern", 0},
	{"user", 1},
	{"mail", 2},
	{"daemon", 3},
	{"auth", 4},
	{"syslog", 5},
	{"lpr", 6},
	{"news", 7},
	{"uucp", 8},
	{"cron", 9},
	{"auth2", 10},
	{"ftp", 11},
	{"ntp", 12},
	{"audit", 13},
	{"alert", 14},
	{"cron2", 15},
	{"local0", 16},
	{"local1", 17},
	{"local2", 18},
	{"local3", 19},
	{"local4", 20},
	{"local5", 21},
	{"local6", 22},
	{"local7", 23},
};

static const struct lookup levels[] = {
	{"emerg", 0},
	{"alert", 1},
	{"crit", 2},
	{"err", 3},
	{"warning", 4},
	{"notice", 5},
	{"info", 6},
	{"debug", 7},
};

static const struct lookup formats[] = {
	{"rfc3164", CONFIG_LOG_RFC3164},
	{"rfc5424", CONFIG_LOG_RFC5424},
	{"raw", CONFIG_LOG_RAW},
	{"short", CONFIG_LOG_SHORT},
	{"local", CONFIG_LOG_LOCAL},
	{"priority", CONFIG_LOG_PRIORITY},
	{"timed", CONFIG_LOG_TIMED},
	{"iso", CONFIG_LOG_ISO},
};

enum { LENGTH_MIN = 80, LENGTH_MAX = 65535, LENGTH_DEFAULT = 1024, SYSLOG_PORT = 514, NAMES_MAX = 32 };

struct name_table {
	const char *what; /* "facility", for messages */
	const struct lookup *rows;
	size_t count;
};
static const struct name_table facility_table = {"facility", facilities, ARRAY_LENGTH(facilities)};
static const struct name_table level_table = {"level", levels, ARRAY_LENGTH(levels)};
static const struct name_table format_table = {"format", formats, ARRAY_LENGTH(formats)};

/* Finds the name in a table; reports with the nearest name otherwise. */
static int name_value(struct parser *parser, const struct name_table *table, const char *name, int *ret_value)
{
	const char *names[NAMES_MAX] = {NULL};
	const char *nearest;

	if (lookup_value(table->rows, table->count, name, ret_value))
		return 0;
	for (size_t i = 0; i < table->count && i + 1 < NAMES_MAX; i++)
		names[i] = table->rows[i].name;
	nearest = name_nearest(names, name);
	if (nearest != NULL)
		report_alert(
			parser, "'log': there is no %s '%s', did you mean '%s'?", table->what, name, nearest);
	else
		report_alert(parser, "'log': there is no %s '%s'", table->what, name);
	return -EINVAL;
}

static int set_ip_target(struct parser *parser, struct config_log *log, const struct address_spec *spec)
{
	if (spec->is_port_relative || spec->port_first != spec->port_last) {
		report_alert(parser, "'log': the target needs a single port, or none for 514");
		return -EINVAL;
	}
	log->kind = CONFIG_LOG_UDP;
	return argument_resolve(
		parser, "log", spec, spec->has_port ? spec->port_first : SYSLOG_PORT, &log->address);
}

static int set_target(struct parser *parser, struct config_log *log, const char *target)
{
	struct address_spec spec;
	const char *reason;

	log->kind = CONFIG_LOG_FD;
	log->fd = strcmp(target, "stdout") == 0 ? 1 : strcmp(target, "stderr") == 0 ? 2 : -1;
	if (log->fd > 0)
		return 0;
	if (strncmp(target, "ring@", 5) == 0) {
		report_alert(parser, "'log': 'ring@' is not supported in this version");
		return -EINVAL;
	}
	/* Log targets are datagrams whether or not that is said. */
	if (strncmp(target, "udp@", 4) == 0)
		target += 4;
	else if (strncmp(target, "uxdg@", 5) == 0)
		target += 5;
	if (address_parse(target, &spec, &reason) < 0) {
		report_alert(parser, "'log': the target '%s' is wrong: %s", target, reason);
		return -EINVAL;
	}
	switch (spec.kind) {
	case ADDRESS_FD:
		log->fd = spec.fd;
		return 0;
	case ADDRESS_IP:
		return set_ip_target(parser, log, &spec);
	case ADDRESS_UNIX:
	case ADDRESS_ABSTRACT:
		break;
	}
	log->kind = CONFIG_LOG_UNIX;
	return argument_resolve(parser, "log", &spec, 0, &log->address);
}

/* "len N", "format F" after the target; returns the words taken or -EINVAL. */
static int set_options(struct parser *parser, struct config_log *log, const struct statement *statement)
{
	unsigned at = 1;
	uint64_t length;
	int value;

	for (; at + 1 < statement->count; at += 2) {
		const char *word = statement->words[at], *argument = statement->words[at + 1];

		if (strcmp(word, "len") == 0) {
			if (value_parse_count(argument, &length) != VALUE_OK || length < LENGTH_MIN ||
				length > LENGTH_MAX) {
				report_alert(parser, "'log': 'len' expects a number from %d to %d, not '%s'",
					LENGTH_MIN, LENGTH_MAX, argument);
				return -EINVAL;
			}
			log->length_max = (unsigned)length;
		} else if (strcmp(word, "format") == 0) {
			if (name_value(parser, &format_table, argument, &value) < 0)
				return -EINVAL;
			log->format = (enum config_log_format)value;
		} else if (strcmp(word, "sample") == 0 || strcmp(word, "profile") == 0) {
			report_alert(parser, "'log': '%s' is not supported in this version", word);
			return -EINVAL;
		} else {
			break;
		}
	}
	return (int)at;
}

/* Facility, highest level, lowest level. */
static int set_levels(
	struct parser *parser, struct config_log *log, const struct statement *statement, unsigned at)
{
	if (at >= statement->count || statement->words[at][0] == '\0') {
		report_alert(parser, "'log' expects a facility after the target, such as local0");
		return -EINVAL;
	}
	if (name_value(parser, &facility_table, statement->words[at++], &log->facility) < 0)
		return -EINVAL;
	if (at < statement->count &&
		name_value(parser, &level_table, statement->words[at++], &log->level_max) < 0)
		return -EINVAL;
	if (at < statement->count &&
		name_value(parser, &level_table, statement->words[at++], &log->level_min) < 0)
		return -EINVAL;
	return (int)at;
}

static void log_link(struct config_log **list, struct config_log *log)
{
	while (*list != NULL)
		list = &(*list)->next;
	*list = log;
}

/* "no log" and "log global"; true when the line was one of them. */
static bool is_plain_form(struct parser *parser, const struct statement *statement, struct config_log **list)
{
	bool is_proxy = parser->section != IN_GLOBAL;

	if (statement->is_negated) {
		*list = NULL;
		if (is_proxy)
			parser->draft->is_log_global = false;
		return true;
	}
	if (is_proxy && statement->count > 0 && strcmp(statement->words[0], "global") == 0) {
		parser->draft->is_log_global = true;
		return true;
	}
	return false;
}

int log_line_parse(struct parser *parser, const struct statement *statement)
{
	struct config_log **list =
		(struct config_log **)(void *)((char *)statement->target + statement->keyword->offset);
	struct config_log log = {.level_max = 7, .length_max = LENGTH_DEFAULT, .place = parser->place};
	struct config_log *copy;
	int taken;

	if (is_plain_form(parser, statement, list))
		return statement->is_negated ? 0 : 1;
	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	if (set_target(parser, &log, statement->words[0]) < 0)
		return -EINVAL;
	taken = set_options(parser, &log, statement);
	if (taken >= 0)
		taken = set_levels(parser, &log, statement, (unsigned)taken);
	if (taken < 0)
		return -EINVAL;
	copy = arena_alloc(parser->arena, sizeof(*copy));
	*copy = log;
	log_link(list, copy);
	return taken;
}
