/* Why the sockmap engine does not carry a direction. */
#pragma once

#include <stdbool.h>

/* In the order of sockmap_reason.def. */
enum sockmap_reason {
	SOCKMAP_NO_REASON,
#define X(name, text, is_final, words) SOCKMAP_REASON_##name,
#include "relay/sockmap_reason.def"
#undef X
	SOCKMAP_REASONS
};
/* A word and a sentence.  Static; empty for SOCKMAP_NO_REASON. */
const char *sockmap_reason_name(enum sockmap_reason reason);
const char *sockmap_reason_words(enum sockmap_reason reason);
bool sockmap_reason_is_final(enum sockmap_reason reason);
/* The same for why the programs did not redirect a packet (enum sockmap_cause). */
const char *sockmap_cause_name(unsigned cause);
const char *sockmap_cause_words(unsigned cause);
