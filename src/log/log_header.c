/* What stands before the text of a log line, by format. */
#include "log/log_channel.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"

/* What each format prints, in this order. */
enum header_part {
	PART_PRIORITY = 1, /* <facility * 8 + level> */
	PART_LEVEL = 2, /* <level> */
	PART_DATE = 4, /* Nov 22 01:21:15 */
	PART_HOST = 8,
	PART_TAG = 16, /* tag[pid]: */
	PART_ISO = 32, /* 2026-11-22T01:21:20.816907+00:00 */
	PART_RFC5424 = 64, /* version, host, tag, pid, no id, no data */
};

static const uint8_t format_parts[] = {
	[CONFIG_LOG_RFC3164] = PART_PRIORITY | PART_DATE | PART_HOST | PART_TAG,
	[CONFIG_LOG_RFC5424] = PART_PRIORITY | PART_RFC5424,
	[CONFIG_LOG_RAW] = 0,
	[CONFIG_LOG_SHORT] = PART_LEVEL,
	[CONFIG_LOG_LOCAL] = PART_PRIORITY | PART_DATE | PART_TAG,
	[CONFIG_LOG_PRIORITY] = PART_PRIORITY,
	[CONFIG_LOG_TIMED] = PART_LEVEL | PART_ISO,
	[CONFIG_LOG_ISO] = PART_ISO,
};

void log_header_init(struct log_header *header, const struct config_global *global)
{
	*header = (struct log_header){.tag = "spliced", .pid = (int)getpid()};
	if (global->log_tag)
		header->tag = global->log_tag;
	if (!global->log_send_hostname)
		return;
	header->has_host = true;
	snprintf(header->host, sizeof(header->host), "%s", global->log_send_hostname);
	if (header->host[0] == '\0' && gethostname(header->host, sizeof(header->host) - 1) != 0)
		snprintf(header->host, sizeof(header->host), "localhost");
}

/* Dates are printed once a second, not once a line. */
static void header_set_second(struct log_header *header, uint64_t second)
{
	struct tm parts;
	time_t time = (time_t)second;
	char zone[8] = "+0000";
	if (header->second == second && second != 0)
		return;
	header->second = second;
	localtime_r(&time, &parts);
	strftime(header->date_rfc3164, sizeof(header->date_rfc3164), "%b %e %H:%M:%S", &parts);
	strftime(header->date_iso, sizeof(header->date_iso), "%Y-%m-%dT%H:%M:%S", &parts);
	strftime(zone, sizeof(zone), "%z", &parts);
	snprintf(header->zone, sizeof(header->zone), "%.3s:%.2s", zone, zone + 3);
}

static void iso_print(const struct log_header *header, uint64_t wall_us, struct text *text)
{
	text_printf(text, "%s.%06u%s ", header->date_iso, (unsigned)(wall_us % 1000000), header->zone);
}

size_t log_header_print(struct log_header *header, const struct config_log *target,
	const struct log_line *line, char *ret_text)
{
	struct text text;
	unsigned parts = format_parts[target->format];
	unsigned level =
		line->level < (unsigned)target->level_min ? (unsigned)target->level_min : line->level;
	const char *tag = line->tag_len > 0 ? line->tag : header->tag;
	int tag_len = (int)(line->tag_len > 0 ? line->tag_len : strnlen(tag, LOG_TAG_MAX));

	CHECK(target->format < ARRAY_LENGTH(format_parts));
	header_set_second(header, line->wall_us / 1000000);
	text_init(&text, ret_text, LOG_HEADER_MAX);
	if (parts & PART_PRIORITY)
		text_printf(&text, "<%u>", (unsigned)target->facility * 8 + level);
	if (parts & PART_LEVEL)
		text_printf(&text, "<%u>", level);
	if (parts & PART_DATE)
		text_printf(&text, "%s ", header->date_rfc3164);
	if (parts & PART_HOST)
		text_printf(&text, "%s ", header->has_host ? header->host : "localhost");
	if (parts & PART_TAG)
		text_printf(&text, "%.*s[%d]: ", tag_len, tag, header->pid);
	if (parts & PART_RFC5424)
		text_add(&text, "1 ");
	if (parts & (PART_ISO | PART_RFC5424))
		iso_print(header, line->wall_us, &text);
	if (parts & PART_RFC5424)
		text_printf(&text, "%s %.*s %d - - ", header->has_host ? header->host : "-", tag_len, tag,
			header->pid);
	return text.len;
}
