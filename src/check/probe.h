/* One run of a check: connects to a server, sends and expects what the steps say, and
 * tells what came of it.  One thread's: that of its loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/expect.h"
#include "config/config.h"
#include "loop/loop.h"

enum { PROBE_TEXT_BYTES = 192 };

/* What to do; stays as it is while a run is under way. */
struct probe_target {
	const struct config_check_step *steps; /* NULL: a connection is enough */
	const char *script; /* "tcp-check", for reports */
	struct address address; /* unless a step names another */
	const struct config_source_address *source;
	unsigned proxy_version; /* of the PROXY header that begins the connection; 0: none */
	bool has_linger; /* an implied connection ends in order, not by a reset */
	uint32_t connect_ms;
	uint32_t exchange_ms; /* from being connected on; 0: connect_ms is for the whole */
};

struct probe_result {
	enum check_status status;
	unsigned code; /* of HTTP; 0: none */
	uint32_t duration_ms;
	char text[PROBE_TEXT_BYTES]; /* in words, printable; may be empty */
};

enum probe_state { PROBE_IDLE, PROBE_OPENING, PROBE_EXCHANGING, PROBE_ENDING };

struct probe {
	struct loop *loop;
	const struct probe_target *target;
	/* The run has ended; result, and what was received, are there until it returns.
	 * Another run may be started from within. */
	void (*on_done)(struct probe *probe);
	struct probe_result result;
	uint8_t *received;
	size_t received_len;

	/* Private. */
	enum probe_state state;
	const struct config_check_step *step; /* the next one; NULL: none is left */
	const struct config_check_step *connect; /* in force; NULL: implied */
	const char *comment;
	enum check_status passed; /* so far */
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_task task;
	int fd;
	uint8_t header[64]; /* of the PROXY protocol */
	size_t header_len, header_sent, sent;
	size_t received_size;
	bool has_ended; /* the server has closed */
	uint64_t started_ms;
};

void probe_init(struct probe *probe, struct loop *loop, void (*on_done)(struct probe *probe));
/* Not while one is under way.  on_done follows, never from within this call. */
void probe_start(struct probe *probe, const struct probe_target *target);
/* No on_done follows.  Harmless when idle. */
void probe_cancel(struct probe *probe);
static inline bool probe_is_running(const struct probe *probe)
{
	return probe->state != PROBE_IDLE;
}
/* Cuts bytes to printable text of at most size - 1 characters. */
void probe_text_print(const uint8_t *bytes, size_t len, char *ret_text, size_t size);
