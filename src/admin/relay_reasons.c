/* Which counters come one for each reason, and their sums over the workers. */
#include "admin/relay_reasons.h"

#include "base/status.h"

static const char *wire_name(unsigned reason)
{
	return wire_reason_name(reason);
}

static const char *wire_words(unsigned reason)
{
	return wire_reason_words(reason);
}

static bool wire_is_final(unsigned reason)
{
	return wire_reason_is_final(reason);
}

static const char *sockmap_name(unsigned reason)
{
	return sockmap_reason_name(reason);
}

static const char *sockmap_words(unsigned reason)
{
	return sockmap_reason_words(reason);
}

static bool sockmap_is_final(unsigned reason)
{
	return sockmap_reason_is_final(reason);
}

static const char *cause_name(unsigned cause)
{
	return sockmap_cause_name(cause);
}

static const char *cause_words(unsigned cause)
{
	return sockmap_cause_words(cause);
}

const struct relay_reasons relay_reasons[] = {
	{"wire_refusals_total", "reason",
		"Times that the wire engine did not take a connection over, by why.",
		"why wire did not take connections over", WIRE_NO_REASON + 1, WIRE_REASONS,
		offsetof(struct relay_worker, wire_refusals), wire_name, wire_words, wire_is_final},
	{"sockmap_refusals_total", "reason",
		"Times that the sockmap engine did not carry a direction, by why.",
		"why sockmap did not carry directions", SOCKMAP_NO_REASON + 1, SOCKMAP_REASONS,
		offsetof(struct relay_worker, sockmap_refusals), sockmap_name, sockmap_words,
		sockmap_is_final},
	{"sockmap_brakes_total", "cause",
		"Packets that the kernel left to the process instead of redirecting them, by why.",
		"why sockmap left packets to the process", 0, SOCKMAP_CAUSES,
		offsetof(struct relay_worker, sockmap_brakes), cause_name, cause_words, NULL},
};
const size_t relay_reasons_count = ARRAY_LENGTH(relay_reasons);

uint64_t relay_reasons_sum(
	const struct instance *instance, const struct relay_reasons *reasons, unsigned reason)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < instance->workers_count; i++) {
		const char *worker = (const char *)&instance->workers[i].sessions.relay_worker;
		sum += counter_read((const counter *)(const void *)(worker + reasons->offset) + reason);
	}
	return sum;
}

uint64_t relay_moves_sum(const struct instance *instance, unsigned engine, unsigned reason)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < instance->workers_count; i++)
		sum += counter_read(
			&instance->workers[i].sessions.relay_worker.engines[engine].moves[reason]);
	return sum;
}
