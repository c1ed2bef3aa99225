/* Readings at a short interval, each one JSON line: the signals that may tell how
 * close a proxy is to its capacity.  Run-queue delay of the watched processes, how
 * busy each CPU is, softirq squeezes, and the queues of the sockets on one port. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "queues.h"
#include "watch.h"

enum {
	SAMPLES_CPUS_MAX = 512, /* CPUs past it are left out */
};

struct samples {
	struct queues queues;
	bool has_queues; /* a port was given and can be asked for */
	char why_no_queues[WATCH_REASON_MAX]; /* empty: has_queues, or no port was given */
	uint64_t started_us, taken_us;
	uint64_t taken; /* samples so far */
	struct thread_use uses[WATCH_PROCESSES_MAX];
	struct softnet_stat softnet;
	struct cpu_ticks cpus[SAMPLES_CPUS_MAX];
};

/* port 0: no queues.  Queues are those in the network namespace of the first process. */
void samples_init(struct samples *samples, const struct watch *watch, uint16_t port);
/* The first interval begins; watch_start() was called just before. */
void samples_start(struct samples *samples, struct watch *watch);
/* Refreshes the watch and says what happened since the sample before.  The caller
 * owns the object; NULL when memory is short. */
json_t *samples_take(struct samples *samples, struct watch *watch);
void samples_release(struct samples *samples);
