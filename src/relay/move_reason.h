/* Why a direction was given to another engine. */
#pragma once

/* In the order of move_reason.def. */
enum move_reason {
	MOVE_NO_REASON, /* it has the first one still */
#define X(name, text, words) MOVE_##name,
#include "relay/move_reason.def"
#undef X
	MOVE_REASONS
};
/* A word and a sentence.  Static; empty for MOVE_NO_REASON. */
const char *move_reason_name(enum move_reason reason);
const char *move_reason_words(enum move_reason reason);
