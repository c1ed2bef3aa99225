/* The ways to compare: whole texts, networks and numbers by tables, the rest one by one. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "rule/address_set.h"
#include "rule/number_set.h"
#include "rule/text_set.h"

static bool fits_all(enum sample_type type)
{
	(void)type;
	return true;
}

static bool fits_numbers(enum sample_type type)
{
	return type == SAMPLE_BOOL || type == SAMPLE_INTEGER;
}

static bool fits_numerals(enum sample_type type)
{
	return type != SAMPLE_ADDRESS;
}

static bool fits_addresses(enum sample_type type)
{
	return type == SAMPLE_ADDRESS || type == SAMPLE_TEXT;
}

static bool fits_texts(enum sample_type type)
{
	return type == SAMPLE_TEXT;
}

const struct match_row match_rows[MATCHES] = {
	[MATCH_FOUND] = {"found", false, fits_all, "There is a value, whatever it is."},
	[MATCH_BOOL] = {"bool", false, fits_numbers, "The value is neither false nor 0."},
	[MATCH_INT] = {"int", true, fits_numerals,
		"Numbers and ranges: 80, 1024:65535, :1023; after eq, ge, gt, le or lt single numbers that are compared so. TLS versions may be written as 3.1."},
	[MATCH_IP] = {"ip", true, fits_addresses,
		"Addresses and networks, IPv4 and IPv6: 10.0.0.0/8, 10.0.0.0/255.0.0.0, 2001:db8::/32. Names are not looked up. However many there are, looking one up takes few steps."},
	[MATCH_BIN] = {"bin", true, fits_texts, "The bytes are those, in hexadecimal digits."},
	[MATCH_STR] = {"str", true, fits_all, "The text is one of these; found by hashing."},
	[MATCH_BEG] = {"beg", true, fits_all, "The text begins with one of these; found by hashing."},
	[MATCH_END] = {"end", true, fits_all, "The text ends with one of these; found by hashing."},
	[MATCH_SUB] = {"sub", true, fits_all, "The text contains one of these; tried one by one."},
	[MATCH_DIR] = {"dir", true, fits_all, "One of these stands between slashes; found by hashing."},
	[MATCH_DOM] = {"dom", true, fits_all,
		"One of these stands between dots, slashes, colons or question marks; found by hashing."},
	[MATCH_REG] = {"reg", true, fits_all, "Regular expressions (PCRE2), tried one by one."},
	[MATCH_LEN] = {"len", true, fits_texts, "Numbers as with int, for the length of the text."},
};

/* Patterns that are tried one by one. */
struct single {
	struct single *next;
	const char *text, *value;
	size_t len;
	pcre2_code *code; /* of MATCH_REG, in the arena */
};

struct pattern_set {
	struct arena *arena;
	enum rule_match match;
	bool ignores_case;
	enum number_operator way;
	struct address_set *addresses;
	struct number_set *numbers;
	struct text_set *texts;
	struct single *singles, **singles_end;
};

static struct text_set *texts_create(struct arena *arena, enum rule_match match, bool ignores_case)
{
	struct text_set_options options = {.place = TEXT_WHOLE, .ignores_case = ignores_case};
	if (match == MATCH_BEG)
		options.place = TEXT_BEGINNING;
	if (match == MATCH_END)
		options.place = TEXT_END;
	if (match == MATCH_DIR || match == MATCH_DOM) {
		options.place = TEXT_BETWEEN;
		options.delimiters = match == MATCH_DIR ? "/?" : "/?.:";
	}
	return text_set_create(arena, &options);
}

struct pattern_set *pattern_set_create(struct arena *arena, enum rule_match match, bool ignores_case)
{
	struct pattern_set *set = arena_alloc(arena, sizeof(*set));
	set->arena = arena;
	set->match = match;
	set->ignores_case = ignores_case;
	set->way = NUMBER_EQ;
	set->singles_end = &set->singles;
	set->addresses = address_set_create(arena);
	set->numbers = number_set_create(arena);
	set->texts = texts_create(arena, match, ignores_case);
	return set;
}

/* --- adding --- */

static int refuse(struct text *complaint, const char *pattern, const char *wanted)
{
	text_printf(complaint, "'%s' is not %s", pattern, wanted);
	return -EINVAL;
}

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found =
		digit != '\0' ? strchr(digits, digit | (digit >= 'A' && digit <= 'F' ? 0x20 : 0)) : NULL;
	return found != NULL ? (int)(found - digits) : -1;
}

static int bytes_add(struct pattern_set *set, const char *pattern, const char *value, struct text *complaint)
{
	size_t len = strlen(pattern) / 2;
	char *bytes = arena_alloc(set->arena, len + 1);
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(pattern[2 * i]), low = hex_value(pattern[2 * i + 1]);
		if (high < 0 || low < 0)
			return refuse(complaint, pattern, "bytes in hexadecimal digits");
		bytes[i] = (char)(high * 16 + low);
	}
	if (len == 0 || strlen(pattern) % 2 != 0)
		return refuse(complaint, pattern, "bytes in hexadecimal digits, two each");
	text_set_add(set->texts, bytes, len, value);
	return 0;
}

static struct single *single_add(struct pattern_set *set, const char *pattern, const char *value)
{
	struct single *single = arena_alloc(set->arena, sizeof(*single));
	single->text = pattern;
	single->len = strlen(pattern);
	single->value = value;
	*set->singles_end = single;
	set->singles_end = &single->next;
	return single;
}

/* A compiled expression is the arena's, and given back with it. */
static void *code_alloc(size_t bytes, void *context)
{
	return arena_alloc(context, bytes);
}

static void code_free(void *memory, void *context)
{
	(void)memory;
	(void)context;
}

static int expression_add(
	struct pattern_set *set, const char *pattern, const char *value, struct text *complaint)
{
	pcre2_general_context *memory = pcre2_general_context_create(code_alloc, code_free, set->arena);
	pcre2_compile_context *context = pcre2_compile_context_create(memory);
	uint32_t flags = set->ignores_case ? PCRE2_CASELESS : 0;
	PCRE2_UCHAR words[128];
	size_t offset = 0;
	int error = 0;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		flags | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context);
	if (code == NULL) {
		pcre2_get_error_message(error, words, sizeof(words));
		text_printf(complaint, "the regular expression '%s' is wrong at character %zu: %s", pattern,
			offset + 1, (const char *)words);
		return -EINVAL;
	}
	single_add(set, pattern, value)->code = code;
	return 0;
}

int pattern_set_add(struct pattern_set *set, const char *pattern, const char *value, struct text *complaint)
{
	switch (set->match) {
	case MATCH_INT:
	case MATCH_LEN:
		if (number_set_add(set->numbers, set->way, pattern) < 0)
			return refuse(complaint, pattern,
				set->way == NUMBER_EQ ? "a number or a range of numbers" : "a number");
		return 0;
	case MATCH_IP:
		if (address_set_add(set->addresses, pattern, value) < 0)
			return refuse(
				complaint, pattern, "an IP address or a network (names are not looked up)");
		return 0;
	case MATCH_BIN:
		return bytes_add(set, pattern, value, complaint);
	case MATCH_STR:
	case MATCH_BEG:
	case MATCH_END:
	case MATCH_DIR:
	case MATCH_DOM:
		text_set_add(set->texts, pattern, strlen(pattern), value);
		return 0;
	case MATCH_SUB:
		single_add(set, pattern, value);
		return 0;
	case MATCH_REG:
		return expression_add(set, pattern, value, complaint);
	case MATCH_FOUND:
	case MATCH_BOOL:
	case MATCHES:
		break;
	}
	CHECK(false);
	return -EINVAL;
}

bool pattern_set_operator(struct pattern_set *set, const char *word)
{
	static const struct {
		const char *name;
		enum number_operator way;
	} words[] = {{"eq", NUMBER_EQ}, {"ge", NUMBER_GE}, {"gt", NUMBER_GT}, {"le", NUMBER_LE},
		{"lt", NUMBER_LT}};
	if (set->match != MATCH_INT && set->match != MATCH_LEN)
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		if (strcmp(words[i].name, word) == 0) {
			set->way = words[i].way;
			return true;
		}
	}
	return false;
}

void pattern_set_finish(struct pattern_set *set)
{
	address_set_finish(set->addresses);
	number_set_finish(set->numbers);
	text_set_finish(set->texts);
}

/* --- looking --- */

void sample_to_text(struct sample *sample, struct rule_room *room)
{
	char *text;
	switch (sample->type) {
	case SAMPLE_TEXT:
		return;
	case SAMPLE_BOOL:
	case SAMPLE_INTEGER:
		text = rule_room_text(room);
		sample_set_text(sample, text,
			(size_t)snprintf(text, RULE_TEXT_BYTES_MAX, "%lld", (long long)sample->number));
		return;
	case SAMPLE_ADDRESS:
		text = rule_room_text(room);
		endpoint_print_host(&sample->address, text, RULE_TEXT_BYTES_MAX);
		sample_set_text(sample, text, strlen(text));
		return;
	}
	CHECK(false);
}

/* A text that is a number, all of it. */
static bool number_of(const struct sample *sample, int64_t *ret_number)
{
	char digits[24], *end;
	*ret_number = sample->number;
	if (sample->type != SAMPLE_TEXT)
		return true;
	if (sample->len == 0 || sample->len >= sizeof(digits))
		return false;
	memcpy(digits, sample->text, sample->len);
	digits[sample->len] = '\0';
	if ((digits[0] < '0' || digits[0] > '9') && digits[0] != '-')
		return false;
	*ret_number = strtoll(digits, &end, 10);
	return end == digits + sample->len;
}

static bool address_of(const struct sample *sample, struct endpoint *ret_address)
{
	char host[INET6_ADDRSTRLEN];
	*ret_address = sample->address;
	if (sample->type != SAMPLE_TEXT)
		return true;
	if (sample->len == 0 || sample->len >= sizeof(host))
		return false;
	memcpy(host, sample->text, sample->len);
	host[sample->len] = '\0';
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(ret_address->family, host, ret_address->ip) == 1;
}

static bool contains(const struct sample *sample, const struct single *single, bool ignores_case)
{
	if (!ignores_case)
		return memmem(sample->text, sample->len, single->text, single->len) != NULL;
	for (size_t at = 0; at + single->len <= sample->len; at++) {
		if (strncasecmp(sample->text + at, single->text, single->len) == 0)
			return true;
	}
	return false;
}

static bool is_match(const struct single *single, const struct sample *sample, struct rule_room *room)
{
	return pcre2_match(single->code, (PCRE2_SPTR)sample->text, sample->len, 0, 0, room->match,
		       room->match_limits) >= 0;
}

static const char *singles_find(
	const struct pattern_set *set, const struct sample *sample, struct rule_room *room)
{
	for (const struct single *single = set->singles; single != NULL; single = single->next) {
		if (single->code != NULL ? is_match(single, sample, room)
					 : contains(sample, single, set->ignores_case))
			return single->value;
	}
	return NULL;
}

static const char *find_text(const struct pattern_set *set, struct sample sample, struct rule_room *room)
{
	sample_to_text(&sample, room);
	if (set->match == MATCH_SUB || set->match == MATCH_REG)
		return singles_find(set, &sample, room);
	return text_set_find(set->texts, sample.text, sample.len);
}

const char *pattern_set_find(
	const struct pattern_set *set, const struct sample *sample, struct rule_room *room)
{
	struct endpoint address;
	int64_t number;
	switch (set->match) {
	case MATCH_FOUND:
		return "";
	case MATCH_BOOL:
		return sample->number != 0 ? "" : NULL;
	case MATCH_INT:
		return number_of(sample, &number) && number_set_has(set->numbers, number) ? "" : NULL;
	case MATCH_LEN:
		return number_set_has(set->numbers, (int64_t)sample->len) ? "" : NULL;
	case MATCH_IP:
		return address_of(sample, &address) ? address_set_find(set->addresses, &address) : NULL;
	case MATCH_BIN:
	case MATCH_STR:
	case MATCH_BEG:
	case MATCH_END:
	case MATCH_SUB:
	case MATCH_DIR:
	case MATCH_DOM:
	case MATCH_REG:
		return find_text(set, *sample, room);
	case MATCHES:
		break;
	}
	CHECK(false);
	return NULL;
}
