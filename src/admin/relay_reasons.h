/* Counters of the engines that come one for each reason: rows for show relay, the metrics and
 * their reference. */
#pragma once

#include "worker/instance.h"

struct relay_reasons {
	const char *metric, *label, *sentence; /* of the metrics page */
	const char *title; /* of show relay */
	unsigned first, end; /* the reasons */
	size_t offset; /* of an array of counters in struct relay_worker, by reason */
	const char *(*name)(unsigned reason);
	const char *(*words)(unsigned reason); /* NULL: the name says it */
	bool (*is_final)(unsigned reason); /* NULL: does not apply */
};

extern const struct relay_reasons relay_reasons[];
extern const size_t relay_reasons_count;

uint64_t relay_reasons_sum(
	const struct instance *instance, const struct relay_reasons *reasons, unsigned reason);
uint64_t relay_moves_sum(const struct instance *instance, unsigned engine, unsigned reason);
