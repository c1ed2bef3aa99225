/* The flags of the load commands and of the server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "place.h"
#include "schedule.h"

enum {
	OPTIONS_CONNECTIONS_MAX = 60000,
	OPTIONS_THREADS_MAX = 64,
	OPTIONS_MESSAGE_BYTES_MAX = 64 * 1024 * 1024,
};

enum load_command { LOAD_SERVE, LOAD_BULK, LOAD_PINGPONG, LOAD_CHURN, LOAD_IDLE, LOAD_DRIBBLE, LOAD_INCAST };

enum direction { DIRECTION_UP, DIRECTION_DOWN, DIRECTION_BOTH };

struct load_options {
	enum load_command command;
	struct place to, server, listen;
	bool has_to, has_server, has_listen;
	unsigned connections, threads;
	unsigned messages; /* of a connection of churn */
	double seconds, warmup_s; /* warmup_s below 0: to be chosen */
	bool has_seconds;
	uint32_t size, answer; /* answer 0: an echo */
	enum direction direction;
	double rate; /* per second in all; 0: closed loop */
	enum arrival arrival;
	bool is_sampled, is_json, is_reset, is_held, is_half_close_off;
	bool is_quiet; /* no line while it runs; for tests */
	uint64_t sample_every; /* bytes */
	uint64_t delay_us; /* of a server, for each message */
	uint64_t stall_ms, stall_every_ms; /* of a server */
	uint64_t seed;
	uint64_t ending_max_ms; /* how long the end may take; 0: as the manual says; for tests */
};

/* Reads words[1] and after; words[0] is the command's name.  Returns true to go on; else the
 * command ends with *ret_status: 0 after --help, 2 after one sentence about what
 * is wrong. */
bool options_read(enum load_command command, int count, char **words, struct load_options *ret_options,
	int *ret_status);
