/* Health checks as the configuration gives them: of a server, and the exchange of
 * bytes that a backend's checks consist of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config_types.h"

struct pattern;

/* What a check comes to; check/check_status.c has the names. */
enum check_status {
	CHECK_UNKNOWN,
	CHECK_INITIAL,
	CHECK_OBSERVED, /* not a check: what sessions have met */
	CHECK_SOCKET_ERROR,
	CHECK_L4_OK,
	CHECK_L4_TIMEOUT,
	CHECK_L4_PROBLEM,
	CHECK_L6_OK,
	CHECK_L6_TIMEOUT,
	CHECK_L6_INVALID,
	CHECK_L7_TIMEOUT,
	CHECK_L7_INVALID,
	CHECK_L7_OK,
	CHECK_L7_CONDITIONAL, /* passed, but no new sessions are wanted */
	CHECK_L7_WRONG,
	CHECK_STATUSES
};

enum config_on_error {
	CONFIG_ON_ERROR_FAIL_CHECK,
	CONFIG_ON_ERROR_FASTINTER,
	CONFIG_ON_ERROR_SUDDEN_DEATH,
	CONFIG_ON_ERROR_MARK_DOWN,
	CONFIG_ON_ERROR_EJECT,
};

/* Of one server line. */
struct config_check {
	bool is_on, has_send_proxy;
	uint32_t inter_ms, fastinter_ms, downinter_ms; /* fast and down 0: as inter */
	unsigned rise, fall;
	unsigned port; /* 0: the server's */
	struct address address; /* len 0: the server's */
	/* Passive: what sessions meet when they connect. */
	bool is_observing;
	unsigned errors_max; /* in a row, then: */
	enum config_on_error on_error;
	uint32_t eject_ms, eject_max_ms; /* the first time, and after doubling */
};

struct config_agent {
	bool is_on;
	uint32_t inter_ms;
	unsigned port;
	struct address address; /* len 0: the server's */
	const char *greeting; /* sent first; NULL: nothing */
};

enum config_step_kind { CONFIG_STEP_CONNECT, CONFIG_STEP_SEND, CONFIG_STEP_EXPECT, CONFIG_STEP_COMMENT };

enum config_match {
	CONFIG_MATCH_BYTES, /* anywhere in what was received */
	CONFIG_MATCH_LINE, /* a line that has its end; of agents, not of the language */
	CONFIG_MATCH_PATTERN,
	CONFIG_MATCH_HEX_PATTERN, /* of the bytes in hexadecimal, capital letters */
	CONFIG_MATCH_HTTP_STATUS,
	CONFIG_MATCH_HTTP_STATUS_PATTERN,
	CONFIG_MATCH_HTTP_BYTES, /* in the body */
	CONFIG_MATCH_HTTP_PATTERN,
};

struct config_status_range {
	unsigned first, last;
};

/* Immutable once the configuration is read, and shared by backends that inherit it. */
struct config_check_step {
	struct config_check_step *next;
	enum config_step_kind kind;
	unsigned number; /* among the steps written, from 1; 0: implied */
	const char *comment; /* NULL: none */
	const char *text; /* EXPECT: the pattern as written, for reports */
	/* CONNECT */
	unsigned port; /* 0: the check's */
	struct address address; /* len 0: the check's */
	bool has_send_proxy, has_linger, is_plain; /* plain: nothing is taken from the server line */
	/* SEND, EXPECT */
	const uint8_t *bytes;
	size_t len;
	/* EXPECT */
	enum config_match match;
	bool is_negated;
	int received_min; /* bytes; -1: none asked for; 0: what is there decides */
	const struct pattern *pattern;
	const struct config_status_range *ranges;
	unsigned ranges_count;
	enum check_status ok, error, timeout;
};

/* "option …-check": how the steps come to be. */
enum config_check_kind {
	CONFIG_CHECK_TCP, /* without steps: a connection is enough */
	CONFIG_CHECK_HTTP,
	CONFIG_CHECK_SCRIPT, /* of a protocol; made when the option was read */
};

struct config_http_header {
	struct config_http_header *next;
	const char *name, *value;
};

/* Of one backend. */
struct config_check_plan {
	enum config_check_kind kind;
	const char *name; /* "tcp-check", "httpchk", … */
	bool has_log; /* option log-health-checks */
	bool has_disable_on_404;
	unsigned ejected_percent_max; /* of the servers, at a time */
	/* option httpchk; NULL: HTTP's usual */
	const char *method, *uri, *version;
	/* http-check send; NULL: as the option says */
	const char *sent_method, *sent_uri, *sent_version, *body;
	struct config_http_header *headers;
	struct config_check_step *http_expects;
	struct config_check_step *rules; /* tcp-check, as written */
	const struct config_check_step *script; /* of CONFIG_CHECK_SCRIPT */
	/* What is run; set when all is read. */
	const struct config_check_step *steps;
};
