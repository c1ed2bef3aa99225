/* The table of reasons why sessions end. */

#include "session/close_reason.h"

#include "base/check.h"

#define X(name, letter_, blame_, words_) \
	[CLOSE_##name] = {.label = #name, .words = (words_), .letter = (letter_), .blame = BLAME_##blame_},
static const struct close_reason_row rows[CLOSE_REASONS] = {
	[CLOSE_NONE] = {.label = "NONE", .words = "still open", .letter = '-', .blame = BLAME_NOBODY},
#include "session/close_reason.def"
};
#undef X

const struct close_reason_row *close_reason_row(enum close_reason reason)
{
	CHECK((unsigned)reason < CLOSE_REASONS);
	return &rows[reason];
}
