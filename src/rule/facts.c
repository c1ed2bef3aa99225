/* The room to evaluate rules in, and the hello read once for all of them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/facts.h"

#include <pcre2.h>
#include <stdlib.h>

/* What one expression may cost a connection; beyond it there is no match. */
enum { MATCH_STEPS_MAX = 100000, MATCH_MEMORY_KIB_MAX = 1024 };

struct rule_room *rule_room_create(void)
{
	struct rule_room *room = calloc(1, sizeof(*room));
	if (room == NULL)
		return NULL;
	/* No captures are asked for: one pair says whether there was a match. */
	room->match = pcre2_match_data_create(1, NULL);
	room->match_limits = pcre2_match_context_create(NULL);
	if (room->match == NULL || room->match_limits == NULL) {
		rule_room_destroy(room);
		return NULL;
	}
	pcre2_set_match_limit(room->match_limits, MATCH_STEPS_MAX);
	pcre2_set_heap_limit(room->match_limits, MATCH_MEMORY_KIB_MAX);
	return room;
}

void rule_room_destroy(struct rule_room *room)
{
	if (room == NULL)
		return;
	pcre2_match_data_free(room->match);
	pcre2_match_context_free(room->match_limits);
	free(room);
}

char *rule_room_text(struct rule_room *room)
{
	room->turn = !room->turn;
	return room->texts[room->turn];
}

enum tls_result rule_facts_hello(struct rule_facts *facts)
{
	const struct tls_input input = {facts->bytes, facts->len, facts->room->joined};
	const char *reason;
	if (!facts->has_hello) {
		facts->has_hello = true;
		facts->hello_result = tls_hello_parse(&input, &facts->hello, &reason);
	}
	return facts->hello_result;
}
