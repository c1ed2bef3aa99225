/* The words of an agent's line. */
#include "check/agent_answer.h"

#include <string.h>
#include <strings.h>

enum { PERCENT_MAX = 25600, MAXCONN_MAX = 2147483647 };

static const struct word {
	const char *name;
	enum agent_health health;
	enum agent_admin admin;
} words[] = {
	{"up", AGENT_HEALTH_UP, AGENT_ADMIN_SAME},
	{"down", AGENT_HEALTH_DOWN, AGENT_ADMIN_SAME},
	{"stopped", AGENT_HEALTH_DOWN, AGENT_ADMIN_SAME},
	{"fail", AGENT_HEALTH_DOWN, AGENT_ADMIN_SAME},
	{"ready", AGENT_HEALTH_SAME, AGENT_ADMIN_READY},
	{"drain", AGENT_HEALTH_SAME, AGENT_ADMIN_DRAIN},
	{"maint", AGENT_HEALTH_SAME, AGENT_ADMIN_MAINT},
};

/* All digits, up to the limit; false otherwise. */
static bool number_parse(const uint8_t *bytes, size_t len, unsigned max, unsigned *ret_number)
{
	uint64_t number = 0;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
		number = number * 10 + (unsigned)(bytes[i] - '0');
		if (number > max)
			return false;
	}
	*ret_number = (unsigned)number;
	return len > 0;
}

static bool is_word(const uint8_t *bytes, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp((const char *)bytes, name, len) == 0;
}

static bool name_apply(const uint8_t *bytes, size_t len, struct agent_answer *answer)
{
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		if (!is_word(bytes, len, words[i].name))
			continue;
		if (words[i].health != AGENT_HEALTH_SAME) {
			answer->health = words[i].health;
			answer->word = words[i].name;
		}
		if (words[i].admin != AGENT_ADMIN_SAME)
			answer->admin = words[i].admin;
		return true;
	}
	return false;
}

static void word_apply(const uint8_t *bytes, size_t len, struct agent_answer *answer)
{
	static const char maxconn[] = "maxconn:";
	const size_t prefix = sizeof(maxconn) - 1;
	if (name_apply(bytes, len, answer))
		return;
	if (bytes[len - 1] == '%' && number_parse(bytes, len - 1, PERCENT_MAX, &answer->weight_percent))
		answer->has_weight = true;
	else if (len > prefix && strncasecmp((const char *)bytes, maxconn, prefix) == 0 &&
		number_parse(bytes + prefix, len - prefix, MAXCONN_MAX, &answer->maxconn))
		answer->has_maxconn = true;
	else
		answer->has_unknown_word = true;
}

static bool is_between(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == ',';
}

/* The bytes before the first CR or LF; SIZE_MAX: there is none. */
static size_t line_length(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\r' || bytes[i] == '\n')
			return i;
	}
	return SIZE_MAX;
}

bool agent_answer_parse(const uint8_t *bytes, size_t len, struct agent_answer *ret_answer)
{
	struct agent_answer answer = {0};
	size_t end = line_length(bytes, len), at = 0, count = 0;
	if (end == SIZE_MAX)
		return false;
	while (at < end && bytes[at] != '#') {
		size_t from = at;
		while (at < end && bytes[at] != '#' && !is_between(bytes[at]))
			at++;
		if (at > from) {
			word_apply(bytes + from, at - from, &answer);
			count++;
		} else {
			at++;
		}
	}
	if (at < end) {
		at++;
		while (at < end && is_between(bytes[at]))
			at++;
		answer.reason = bytes + at;
		answer.reason_len = end - at;
	}
	*ret_answer = answer;
	return count > 0;
}
