/* Why the wire engine does not carry a relay. */
#pragma once

#include <stdbool.h>

/* Why wire did not take a relay over, in the order of wire_reason.def. */
enum wire_reason {
	WIRE_NO_REASON,
#define X(name, text, is_final, words) WIRE_REASON_##name,
#include "relay/wire_reason.def"
#undef X
	WIRE_REASONS
};
/* A word and a sentence.  Static. */
const char *wire_reason_name(enum wire_reason reason);
const char *wire_reason_words(enum wire_reason reason);
bool wire_reason_is_final(enum wire_reason reason);
