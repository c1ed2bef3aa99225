/* The words for why sockmap does not carry a direction, or stopped redirecting. */
#include "relay/sockmap_reason.h"

#include "base/check.h"
#include "base/status.h"
#include "bpf/shared/sockmap.h"

static const struct {
	const char *name, *words;
	bool is_final;
} rows[SOCKMAP_REASONS] = {
	{"", "", false},
#define X(name, text, is_final, words) {text, words, is_final},
#include "relay/sockmap_reason.def"
#undef X
};

static const struct {
	const char *name, *words;
} causes[] = {
	[SOCKMAP_ROOM] = {"room", "the target's send buffer had no room"},
	[SOCKMAP_QUEUE] = {"queue", "too many packets waited for the target"},
	[SOCKMAP_TARGET] = {"target", "the target had ended or failed"},
	[SOCKMAP_WAY_BACK] = {"way_back", "the other direction was with the process"},
	[SOCKMAP_BEHIND] = {"behind", "bytes before it were with the process"},
};
_Static_assert(ARRAY_LENGTH(causes) == SOCKMAP_CAUSES, "each has a word");

const char *sockmap_reason_name(enum sockmap_reason reason)
{
	CHECK((unsigned)reason < SOCKMAP_REASONS);
	return rows[reason].name;
}

const char *sockmap_reason_words(enum sockmap_reason reason)
{
	CHECK((unsigned)reason < SOCKMAP_REASONS);
	return rows[reason].words;
}

bool sockmap_reason_is_final(enum sockmap_reason reason)
{
	CHECK((unsigned)reason < SOCKMAP_REASONS);
	return rows[reason].is_final;
}

const char *sockmap_cause_name(unsigned cause)
{
	CHECK(cause < SOCKMAP_CAUSES);
	return causes[cause].name;
}

const char *sockmap_cause_words(unsigned cause)
{
	CHECK(cause < SOCKMAP_CAUSES);
	return causes[cause].words;
}
