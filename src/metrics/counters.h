/* Counters with one writer each: every worker has its own block, readers sum
 * them.  Relaxed atomics: a reader sees a recent value, never a torn one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t counter;

static inline void counter_add(counter *value, uint64_t amount)
{
	__atomic_store_n(value, __atomic_load_n(value, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const counter *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* Of a frontend, backend or server; a kind that lacks a field leaves it 0. */
struct traffic_counters {
	counter connections; /* accepted (frontend) or made (backend, server) */
	counter sessions; /* sessions carried */
	counter bytes_in; /* from clients towards servers */
	counter bytes_out; /* from servers towards clients */
	counter refused_connections; /* dcon: turned away by a limit or rule */
	counter denied_sessions; /* dses: by tcp-request session */
	counter denied_requests; /* dreq: by tcp-request content */
	counter connect_errors; /* econ: sessions that reached no server, after all retries */
	counter response_errors; /* eresp: the server broke off during data */
	counter client_aborts; /* cli_abrt */
	counter server_aborts; /* srv_abrt */
	counter retries; /* wretr */
	counter redispatches; /* wredis */
	counter queued; /* sessions that had to wait for a slot */
	counter balanced; /* lbtot: times chosen */
	counter queue_ms, connect_ms, session_ms; /* sums; the mean is over time_samples */
	counter queue_ms_max, connect_ms_max, session_ms_max;
	counter time_samples;
} __attribute__((aligned(64)));

/* Zeroed blocks, one per worker; free() returns them.  NULL without memory. */
static inline struct traffic_counters *traffic_counters_create(unsigned blocks)
{
	size_t bytes = blocks * sizeof(struct traffic_counters);
	struct traffic_counters *counters = aligned_alloc(_Alignof(struct traffic_counters), bytes);
	return counters ? memset(counters, 0, bytes) : NULL;
}

/* Adds a worker's block into *total; maxima are maximised. */
void traffic_counters_add(struct traffic_counters *total, const struct traffic_counters *part);
static inline void counter_max(counter *value, uint64_t candidate)
{
	if (candidate > counter_read(value))
		__atomic_store_n(value, candidate, __ATOMIC_RELAXED);
}

/* The highest value a gauge had; any thread. */
static inline void gauge_max(uint32_t *highest, uint32_t candidate)
{
	uint32_t known = __atomic_load_n(highest, __ATOMIC_RELAXED);
	while (candidate > known)
		if (__atomic_compare_exchange_n(
			    highest, &known, candidate, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
}
