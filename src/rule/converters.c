/* The table of what can be made of a value. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "rule/converter.h"

/* --- texts --- */

static bool run_case(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	bool is_lower = conversion->converter->name[0] == 'l';
	if (sample->len > RULE_TEXT_BYTES_MAX)
		return false;
	char *text = rule_room_text(room);
	for (size_t i = 0; i < sample->len; i++) {
		char character = sample->text[i];
		bool is_other = is_lower ? character >= 'A' && character <= 'Z'
					 : character >= 'a' && character <= 'z';
		text[i] = is_other ? (char)(character ^ 0x20) : character;
	}
	sample->text = text;
	return true;
}

static bool run_length(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	(void)conversion, (void)room;
	sample_set_integer(sample, (int64_t)sample->len);
	return true;
}

static bool parse_part(struct rule_book *book, const struct rule_call *call, struct conversion *conversion,
	struct text *complaint)
{
	(void)book, (void)complaint;
	conversion->text = call->count > 1 ? call->arguments[1] : "";
	return call->count == 2 && conversion->text[0] != '\0' &&
		rule_number_parse(call->arguments[0], -10000, 10000, &conversion->numbers[0]) &&
		conversion->numbers[0] != 0;
}

/* A part of the text between delimiters. */
struct part {
	const char *text;
	size_t len;
};

static bool is_delimiter(const struct conversion *conversion, char character)
{
	return character != '\0' && strchr(conversion->text, character) != NULL;
}

/* The next part from *at on; false behind the last.  *at ends behind the delimiter. */
static bool part_next(
	const struct conversion *conversion, const struct sample *sample, size_t *at, struct part *ret_part)
{
	if (*at > sample->len)
		return false;
	size_t end = *at;
	while (end < sample->len && !is_delimiter(conversion, sample->text[end]))
		end++;
	*ret_part = (struct part){sample->text + *at, end - *at};
	*at = end + 1;
	return true;
}

static bool counts(const struct conversion *conversion, const struct part *part)
{
	return part->len > 0 || conversion->converter->name[0] == 'f';
}

/* The index-th part, from the end when that is negative.  Words are parts that are not empty. */
static bool run_part(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	int64_t total = 0, wanted = conversion->numbers[0];
	struct part part;
	(void)room;
	for (size_t at = 0; wanted < 0 && part_next(conversion, sample, &at, &part);)
		total += counts(conversion, &part);
	if (wanted < 0)
		wanted += total + 1;
	for (size_t at = 0; wanted > 0 && part_next(conversion, sample, &at, &part);) {
		wanted -= counts(conversion, &part);
		if (wanted == 0) {
			sample_set_text(sample, part.text, part.len);
			return true;
		}
	}
	return false;
}

static bool parse_bytes(struct rule_book *book, const struct rule_call *call, struct conversion *conversion,
	struct text *complaint)
{
	(void)book, (void)complaint;
	conversion->numbers[1] = RULE_TEXT_BYTES_MAX + TLS_HELLO_STREAM_BYTES_MAX;
	return call->count >= 1 && call->count <= 2 &&
		rule_number_parse(call->arguments[0], 0, conversion->numbers[1], &conversion->numbers[0]) &&
		(call->count == 1 ||
			rule_number_parse(
				call->arguments[1], 1, conversion->numbers[1], &conversion->numbers[1]));
}

static bool run_bytes(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	size_t offset = (size_t)conversion->numbers[0], len = (size_t)conversion->numbers[1];
	(void)room;
	if (offset >= sample->len)
		return false;
	if (len > sample->len - offset)
		len = sample->len - offset;
	sample_set_text(sample, sample->text + offset, len);
	return true;
}

/* --- addresses --- */

static bool mask_parse(const char *text, int64_t bits_max, int64_t *ret_bits)
{
	return rule_number_parse(text, 0, bits_max, ret_bits);
}

static bool parse_mask(struct rule_book *book, const struct rule_call *call, struct conversion *conversion,
	struct text *complaint)
{
	(void)book, (void)complaint;
	conversion->numbers[1] = 128;
	return call->count >= 1 && call->count <= 2 &&
		mask_parse(call->arguments[0], 32, &conversion->numbers[0]) &&
		(call->count == 1 || mask_parse(call->arguments[1], 128, &conversion->numbers[1]));
}

static bool run_mask(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	bool is_v4 = sample->address.family == AF_INET;
	unsigned bits = (unsigned)conversion->numbers[is_v4 ? 0 : 1];
	(void)room;
	for (unsigned i = 0; i < (is_v4 ? 4 : sizeof(sample->address.ip)); i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			sample->address.ip[i] &= (uint8_t)(0xff00u >> kept);
	}
	return true;
}

/* --- maps --- */

struct map_lines {
	struct rule_lines lines;
	struct pattern_set *set;
};

/* The key, blanks, and the rest of the line, which may be empty. */
static int map_line(struct rule_lines *lines, char *line, struct text *complaint)
{
	struct map_lines *map = (struct map_lines *)(void *)lines;
	char *end = line + strcspn(line, " \t"), *value = end;
	while (isspace((unsigned char)*value))
		value++;
	*end = '\0';
	return pattern_set_add(map->set, line, value, complaint);
}

static bool parse_map(struct rule_book *book, const struct rule_call *call, struct conversion *conversion,
	struct text *complaint)
{
	struct map_lines map = {.lines = {map_line}};
	if (call->count < 1 || call->count > 2 || call->arguments[0][0] == '\0')
		return false;
	map.set = pattern_set_create(book->arena, conversion->converter->match, false);
	conversion->map = map.set;
	conversion->text = call->count > 1 ? call->arguments[1] : NULL;
	if (rule_lines_read(book, call->arguments[0], &map.lines, complaint) < 0)
		return false;
	pattern_set_finish(map.set);
	return true;
}

static bool run_map(const struct conversion *conversion, struct rule_room *room, struct sample *sample)
{
	const char *value = pattern_set_find(conversion->map, sample, room);
	if (value == NULL)
		value = conversion->text;
	if (value == NULL)
		return false;
	sample_set_text(sample, value, strlen(value));
	return true;
}

#define MAP(from_, match_)                                                                        \
	.arguments = "<file>[,<default>]", .from = (from_), .to = SAMPLE_TEXT, .match = (match_), \
	.parse = parse_map, .run = run_map
#define OF_TEXT .from = SAMPLE_TEXT, .to = SAMPLE_TEXT

const struct converter converters[] = {
	{.name = "bytes",
		.arguments = "<offset>[,<length>]",
		OF_TEXT,
		.parse = parse_bytes,
		.run = run_bytes,
		.sentence = "So many bytes from the offset on, or all."},
	{.name = "field",
		.arguments = "<index>,<delimiters>",
		OF_TEXT,
		.parse = parse_part,
		.run = run_part,
		.sentence =
			"The part between two delimiters, counted from 1, or with a minus from the end; parts may be empty."},
	{.name = "ipmask",
		.arguments = "<bits>[,<bits for IPv6>]",
		.from = SAMPLE_ADDRESS,
		.to = SAMPLE_ADDRESS,
		.parse = parse_mask,
		.run = run_mask,
		.sentence = "The address with all bits behind the prefix cleared."},
	{.name = "length",
		.alias = "len",
		.from = SAMPLE_TEXT,
		.to = SAMPLE_INTEGER,
		.run = run_length,
		.sentence = "How many bytes the text has."},
	{.name = "lower", OF_TEXT, .run = run_case, .sentence = "The text in small letters (ASCII)."},
	{.name = "map",
		.alias = "map_str",
		MAP(SAMPLE_TEXT, MATCH_STR),
		.sentence =
			"What the file's line has behind this text; lines are a key, blanks and a value. Without such a line the default, or nothing."},
	{.name = "map_beg",
		MAP(SAMPLE_TEXT, MATCH_BEG),
		.sentence = "As map, for the longest key that the text begins with."},
	{.name = "map_dom",
		MAP(SAMPLE_TEXT, MATCH_DOM),
		.sentence = "As map, for the longest key that stands between dots or slashes of the text."},
	{.name = "map_end",
		MAP(SAMPLE_TEXT, MATCH_END),
		.sentence = "As map, for the longest key that the text ends with."},
	{.name = "map_ip",
		MAP(SAMPLE_ADDRESS, MATCH_IP),
		.sentence = "As map, for the smallest of the networks that has the address."},
	{.name = "map_reg",
		MAP(SAMPLE_TEXT, MATCH_REG),
		.sentence = "As map, for the first regular expression that fits."},
	{.name = "map_sub",
		MAP(SAMPLE_TEXT, MATCH_SUB),
		.sentence = "As map, for the first key that the text contains."},
	{.name = "upper", OF_TEXT, .run = run_case, .sentence = "The text in capital letters (ASCII)."},
	{.name = "word",
		.arguments = "<index>,<delimiters>",
		OF_TEXT,
		.parse = parse_part,
		.run = run_part,
		.sentence = "As field, but several delimiters in a row count as one."},
	{.name = NULL},
};

const struct converter *converter_find(const char *name)
{
	for (const struct converter *converter = converters; converter->name != NULL; converter++) {
		if (strcmp(converter->name, name) == 0 ||
			(converter->alias != NULL && strcmp(converter->alias, name) == 0))
			return converter;
	}
	return NULL;
}

const char *converter_nearest(const char *name)
{
	struct lookup_nearest nearest = lookup_nearest_begin(name);
	for (const struct converter *converter = converters; converter->name != NULL; converter++)
		lookup_nearest_try(&nearest, converter->name);
	return nearest.name;
}

int conversion_parse(struct rule_book *book, const struct rule_call *call, struct conversion **ret_conversion,
	struct text *complaint)
{
	struct conversion *conversion = arena_alloc(book->arena, sizeof(*conversion));
	const struct converter *converter = converter_find(call->name);
	if (converter == NULL) {
		const char *nearest = converter_nearest(call->name);
		text_printf(complaint, "there is no converter '%s'", call->name);
		if (nearest != NULL)
			text_printf(complaint, ", did you mean '%s'?", nearest);
		return -EINVAL;
	}
	conversion->converter = converter;
	if (converter->parse == NULL ? call->count == 0
				     : converter->parse(book, call, conversion, complaint)) {
		*ret_conversion = conversion;
		return 0;
	}
	if (complaint->len == 0 && converter->arguments == NULL)
		text_printf(complaint, "'%s' takes no arguments", call->name);
	else if (complaint->len == 0)
		text_printf(complaint, "'%s' takes %s in parentheses", call->name, converter->arguments);
	return -EINVAL;
}
