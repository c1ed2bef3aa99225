/* Summing the workers' blocks: which fields add up and which are maxima. */
#include "metrics/counters.h"

#include "base/status.h"

#define FIELD(name) offsetof(struct traffic_counters, name)

static const size_t summed_fields[] = {
	FIELD(connections),
	FIELD(sessions),
	FIELD(bytes_in),
	FIELD(bytes_out),
	FIELD(refused_connections),
	FIELD(denied_sessions),
	FIELD(denied_requests),
	FIELD(connect_errors),
	FIELD(response_errors),
	FIELD(client_aborts),
	FIELD(server_aborts),
	FIELD(retries),
	FIELD(redispatches),
	FIELD(queued),
	FIELD(balanced),
	FIELD(queue_ms),
	FIELD(connect_ms),
	FIELD(session_ms),
	FIELD(time_samples),
};

static const size_t maximum_fields[] = {
	FIELD(queue_ms_max),
	FIELD(connect_ms_max),
	FIELD(session_ms_max),
};

enum { FIELDS = ARRAY_LENGTH(summed_fields) + ARRAY_LENGTH(maximum_fields) };

/* A field that is in neither table shows here; blocks are padded to 64 bytes. */
_Static_assert(sizeof(struct traffic_counters) == (FIELDS * sizeof(counter) + 63) / 64 * 64,
	"every field of traffic_counters has a row");

static counter *field_at(struct traffic_counters *block, size_t offset)
{
	return (counter *)(void *)((char *)block + offset);
}

static const counter *const_field_at(const struct traffic_counters *block, size_t offset)
{
	return (const counter *)(const void *)((const char *)block + offset);
}

void traffic_counters_add(struct traffic_counters *total, const struct traffic_counters *part)
{
	for (size_t i = 0; i < ARRAY_LENGTH(summed_fields); i++)
		counter_add(field_at(total, summed_fields[i]),
			counter_read(const_field_at(part, summed_fields[i])));
	for (size_t i = 0; i < ARRAY_LENGTH(maximum_fields); i++)
		counter_max(field_at(total, maximum_fields[i]),
			counter_read(const_field_at(part, maximum_fields[i])));
}
