/* The words for why a direction was given to another engine. */
#include "relay/move_reason.h"

#include "base/check.h"

static const struct {
	const char *name, *words;
} rows[MOVE_REASONS] = {
	{"", ""},
#define X(name, text, words) {text, words},
#include "relay/move_reason.def"
#undef X
};

const char *move_reason_name(enum move_reason reason)
{
	CHECK((unsigned)reason < MOVE_REASONS);
	return rows[reason].name;
}

const char *move_reason_words(enum move_reason reason)
{
	CHECK((unsigned)reason < MOVE_REASONS);
	return rows[reason].words;
}
