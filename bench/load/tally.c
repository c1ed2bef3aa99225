/* What a load counted; see tally.h. */
#include "tally.h"

#include "base/check.h"

static const struct {
	const char *key, *text;
} error_names[LOAD_ERROR_KINDS] = {
	[LOAD_ERROR_CONNECT] = {"connect", "could not connect"},
	[LOAD_ERROR_RESET] = {"reset", "reset"},
	[LOAD_ERROR_EARLY_END] = {"early_end", "ended early"},
	[LOAD_ERROR_PATTERN] = {"pattern", "wrong bytes"},
	[LOAD_ERROR_STALLED] = {"stalled", "stalled"},
};

void tally_merge(struct tally *tally, const struct tally *source)
{
	tally->bytes += source->bytes;
	tally->messages += source->messages;
	tally->connections_done += source->connections_done;
	tally->late_sends += source->late_sends;
	tally->unanswered += source->unanswered;
	tally->verified += source->verified;
	tally->peer_verified += source->peer_verified;
	for (unsigned kind = 0; kind < LOAD_ERROR_KINDS; kind++)
		tally->errors[kind] += source->errors[kind];
}

uint64_t tally_errors(const struct tally *tally)
{
	uint64_t sum = 0;
	for (unsigned kind = 0; kind < LOAD_ERROR_KINDS; kind++)
		sum += tally->errors[kind];
	return sum;
}

const char *tally_error_key(enum load_error kind)
{
	CHECK((unsigned)kind < LOAD_ERROR_KINDS);
	return error_names[kind].key;
}

const char *tally_error_text(enum load_error kind)
{
	CHECK((unsigned)kind < LOAD_ERROR_KINDS);
	return error_names[kind].text;
}
