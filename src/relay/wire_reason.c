/* The words for why wire does not carry a relay. */
#include "relay/wire_reason.h"

#include "base/check.h"

struct row {
	const char *name, *words;
	bool is_final;
};

static const struct row rows[WIRE_REASONS] = {
	{"none", "", false},
#define X(name, text, is_final, words) {text, words, is_final},
#include "relay/wire_reason.def"
#undef X
};

const char *wire_reason_name(enum wire_reason reason)
{
	CHECK((unsigned)reason < WIRE_REASONS);
	return rows[reason].name;
}

const char *wire_reason_words(enum wire_reason reason)
{
	CHECK((unsigned)reason < WIRE_REASONS);
	return rows[reason].words;
}

bool wire_reason_is_final(enum wire_reason reason)
{
	CHECK((unsigned)reason < WIRE_REASONS);
	return rows[reason].is_final;
}
