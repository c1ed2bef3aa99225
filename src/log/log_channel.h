/* Where log lines go: one socket or descriptor, reached when first needed,
 * reported once when it cannot be reached, and tried again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/log_ring.h"

/* What stands before the text of a line: names that stay the same, and the date
 * of the last second printed. */
struct log_header {
	const char *tag; /* the process's */
	char host[256];
	bool has_host; /* log-send-hostname */
	int pid;
	uint64_t second;
	char date_rfc3164[32], date_iso[32], zone[8];
};

enum { LOG_HEADER_MAX = 512 };

void log_header_init(struct log_header *header, const struct config_global *global);
/* Prints the header that target's format wants; returns its length, below LOG_HEADER_MAX. */
size_t log_header_print(struct log_header *header, const struct config_log *target,
	const struct log_line *line, char *ret_text);

struct log_channel;

/* NULL without memory.  Opens nothing. */
struct log_channel *log_channel_create(const struct config_log *target);
void log_channel_destroy(struct log_channel *channel);
bool log_channel_is_for(const struct log_channel *channel, const struct config_log *target);

/* Queues one line; line's bytes must stay until the next flush.  Full queues flush by themselves. */
void log_channel_add(struct log_channel *channel, struct log_header *header, const struct config_log *target,
	const struct log_line *line);
void log_channel_flush(struct log_channel *channel);
/* Lines that could not be sent. */
uint64_t log_channel_errors(const struct log_channel *channel);
