/* The rows of 'tcp-check' and 'http-check': steps of what a check sends and expects. */
#include "config/check_rules.h"

#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "base/pattern.h"
#include "config/argument.h"
#include "config/values.h"

enum { STEPS_MAX = 256, BINARY_BYTES_MAX = 8192, RANGES_MAX = 64, RECEIVED_MAX = 16384 };

static const struct lookup ok_names[] = {
	{"L7OK", CHECK_L7_OK},
	{"L7OKC", CHECK_L7_CONDITIONAL},
	{"L6OK", CHECK_L6_OK},
	{"L4OK", CHECK_L4_OK},
};
static const struct lookup error_names[] = {
	{"L7OKC", CHECK_L7_CONDITIONAL},
	{"L7RSP", CHECK_L7_INVALID},
	{"L7STS", CHECK_L7_WRONG},
	{"L6RSP", CHECK_L6_INVALID},
	{"L4CON", CHECK_L4_PROBLEM},
};
static const struct lookup timeout_names[] = {
	{"L7TOUT", CHECK_L7_TIMEOUT},
	{"L6TOUT", CHECK_L6_TIMEOUT},
	{"L4TOUT", CHECK_L4_TIMEOUT},
};

/* The words of one line, from left to right. */
struct reader {
	struct parser *parser;
	const struct statement *statement;
	unsigned at;
};

/* NULL when the line has ended. */
static const char *word_next(struct reader *reader)
{
	const struct statement *statement = reader->statement;
	return reader->at < statement->count ? statement->words[reader->at++] : NULL;
}

/* What belongs to a word just read; reports when it is not there. */
static const char *value_next(struct reader *reader, const char *word)
{
	const char *value = word_next(reader);
	if (value == NULL)
		report_alert(
			reader->parser, "'%s': '%s' lacks its value", reader->statement->keyword->name, word);
	return value;
}

static int word_refuse(const struct reader *reader, const char *word)
{
	return statement_refuse_word(reader->parser, reader->statement, word, NULL);
}

/* --- lists --- */

/* The section's first step takes the place of those that it inherited. */
static int step_add(struct parser *parser, struct config_check_step ***end, struct config_check_step **first,
	const struct config_check_step *step)
{
	unsigned number = 1;
	if (*end == NULL) {
		*first = NULL;
		*end = first;
	}
	for (const struct config_check_step *other = *first; other != NULL; other = other->next)
		number++;
	if (number > STEPS_MAX) {
		report_alert(parser, "a check has at most %d steps", STEPS_MAX);
		return -EINVAL;
	}
	struct config_check_step *copy = arena_alloc(parser->arena, sizeof(*copy));
	*copy = *step;
	copy->number = number;
	**end = copy;
	*end = &copy->next;
	return 0;
}

static int rule_add(
	struct parser *parser, const struct statement *statement, const struct config_check_step *step)
{
	struct draft *draft = parser->draft;
	if (step_add(parser, &draft->rules_end, &draft->proxy.check.rules, step) < 0)
		return -EINVAL;
	return (int)statement->count;
}

static const char *keep(const struct reader *reader, const char *word)
{
	return arena_copy(reader->parser->arena, word);
}

/* --- tcp-check connect --- */

static int connect_port(struct reader *reader, struct config_check_step *step)
{
	const char *word = value_next(reader, "port");
	uint64_t port;
	if (word == NULL)
		return -EINVAL;
	if (value_parse_count(word, &port) != VALUE_OK || port < 1 || port > UINT16_MAX) {
		report_alert(reader->parser,
			"'tcp-check connect port' expects a port from 1 to 65535, not '%s'", word);
		return -EINVAL;
	}
	step->port = (unsigned)port;
	return 0;
}

static int connect_word(struct reader *reader, const char *word, struct config_check_step *step)
{
	const char *value;
	if (strcmp(word, "port") == 0)
		return connect_port(reader, step);
	if (strcmp(word, "addr") == 0 || strcmp(word, "comment") == 0) {
		value = value_next(reader, word);
		if (value == NULL)
			return -EINVAL;
		if (word[0] == 'a')
			return argument_host(reader->parser, "tcp-check connect addr", value, &step->address);
		step->comment = keep(reader, value);
		return 0;
	}
	if (strcmp(word, "default") == 0)
		step->is_plain = false;
	else if (strcmp(word, "send-proxy") == 0)
		step->has_send_proxy = true;
	else if (strcmp(word, "linger") == 0)
		step->has_linger = true;
	else
		return word_refuse(reader, word);
	return 0;
}

int check_rules_parse_connect(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct config_check_step step = {.kind = CONFIG_STEP_CONNECT, .is_plain = true};
	const char *word;
	while ((word = word_next(&reader)) != NULL) {
		if (connect_word(&reader, word, &step) < 0)
			return -EINVAL;
	}
	return rule_add(parser, statement, &step);
}

/* --- tcp-check comment, send --- */

int check_rules_parse_comment(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct config_check_step step = {.kind = CONFIG_STEP_COMMENT};
	const char *word = word_next(&reader);
	if (word == NULL || word[0] == '\0')
		return statement_refuse(parser, statement);
	step.comment = keep(&reader, word);
	return rule_add(parser, statement, &step) < 0 ? -EINVAL : 1;
}

static int digit_value(char digit)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = digit != '\0' ? strchr(digits, digit) : NULL;
	if (found == NULL)
		return -1;
	int value = (int)(found - digits);
	return value < 16 ? value : value - 6;
}

/* Hexadecimal digits into bytes. */
static int bytes_parse(struct reader *reader, const char *digits, struct config_check_step *step)
{
	size_t len = strlen(digits);
	if (len == 0 || len % 2 != 0 || len / 2 > BINARY_BYTES_MAX) {
		report_alert(reader->parser, "'%s' expects an even number of hexadecimal digits, up to %d",
			reader->statement->keyword->name, 2 * BINARY_BYTES_MAX);
		return -EINVAL;
	}
	uint8_t *bytes = arena_alloc(reader->parser->arena, len / 2);
	for (size_t i = 0; i < len; i += 2) {
		int high = digit_value(digits[i]), low = digit_value(digits[i + 1]);
		if (high < 0 || low < 0) {
			report_alert(reader->parser, "'%s': '%.2s' are no hexadecimal digits",
				reader->statement->keyword->name, &digits[i]);
			return -EINVAL;
		}
		bytes[i / 2] = (uint8_t)(high * 16 + low);
	}
	step->bytes = bytes;
	step->len = len / 2;
	return 0;
}

static void text_keep(const struct reader *reader, const char *text, struct config_check_step *step)
{
	step->text = keep(reader, text);
	step->bytes = (const uint8_t *)step->text;
	step->len = strlen(text);
}

/* Behind the data. */
static int comment_take(struct reader *reader, struct config_check_step *step)
{
	const char *word = word_next(reader);
	if (word == NULL)
		return 0;
	if (strcmp(word, "comment") != 0)
		return word_refuse(reader, word);
	const char *comment = value_next(reader, word);
	if (comment == NULL)
		return -EINVAL;
	step->comment = keep(reader, comment);
	return 0;
}

int check_rules_parse_send(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct config_check_step step = {.kind = CONFIG_STEP_SEND};
	const char *data = word_next(&reader);
	if (data == NULL || data[0] == '\0')
		return statement_refuse(parser, statement);
	text_keep(&reader, data, &step);
	return comment_take(&reader, &step) < 0 ? -EINVAL : rule_add(parser, statement, &step);
}

int check_rules_parse_send_binary(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct config_check_step step = {.kind = CONFIG_STEP_SEND};
	const char *digits = word_next(&reader);
	if (digits == NULL)
		return statement_refuse(parser, statement);
	if (bytes_parse(&reader, digits, &step) < 0 || comment_take(&reader, &step) < 0)
		return -EINVAL;
	return rule_add(parser, statement, &step);
}

/* --- expect --- */

static void *arena_take(size_t bytes, void *context)
{
	return arena_alloc(context, bytes);
}

int check_pattern_make(struct parser *parser, struct config_check_step *step)
{
	const struct pattern_memory memory = {arena_take, parser->arena};
	struct pattern *pattern;
	char reason[160];
	if (pattern_compile(step->text, &memory, &pattern, reason, sizeof(reason)) < 0) {
		report_alert(parser, "the regular expression '%s' is wrong: %s", step->text, reason);
		return -EINVAL;
	}
	step->pattern = pattern;
	return 0;
}

static bool range_parse(const char *text, struct config_status_range *ret_range)
{
	char first[8] = "";
	uint64_t from, to;
	size_t len = strcspn(text, "-");
	if (len == 0 || len >= sizeof(first))
		return false;
	memcpy(first, text, len);
	const char *last = text[len] == '-' ? text + len + 1 : first;
	if (value_parse_count(first, &from) != VALUE_OK || value_parse_count(last, &to) != VALUE_OK ||
		from < 100 || to > 999 || from > to)
		return false;
	*ret_range = (struct config_status_range){(unsigned)from, (unsigned)to};
	return true;
}

static int ranges_parse(struct reader *reader, const char *text, struct config_check_step *step)
{
	struct config_status_range *ranges = arena_alloc(reader->parser->arena, RANGES_MAX * sizeof(*ranges));
	char *list = arena_copy(reader->parser->arena, text), *word;
	step->ranges = ranges;
	step->text = keep(reader, text);
	while ((word = strsep(&list, ",")) != NULL) {
		if (step->ranges_count == RANGES_MAX || !range_parse(word, &ranges[step->ranges_count])) {
			report_alert(reader->parser,
				"'http-check expect status' expects codes such as 200,300-399, at most %d, not '%s'",
				RANGES_MAX, text);
			return -EINVAL;
		}
		step->ranges_count++;
	}
	return 0;
}

static const struct match_word {
	const char *name;
	enum config_match match;
	bool is_http, is_hex;
} match_words[] = {
	{"string", CONFIG_MATCH_BYTES, false, false},
	{"binary", CONFIG_MATCH_BYTES, false, true},
	{"rstring", CONFIG_MATCH_PATTERN, false, false},
	{"rbinary", CONFIG_MATCH_HEX_PATTERN, false, false},
	{"status", CONFIG_MATCH_HTTP_STATUS, true, false},
	{"rstatus", CONFIG_MATCH_HTTP_STATUS_PATTERN, true, false},
	{"string", CONFIG_MATCH_HTTP_BYTES, true, false},
	{"rstring", CONFIG_MATCH_HTTP_PATTERN, true, false},
};

static const struct match_word *match_find(const char *name, bool is_http)
{
	for (size_t i = 0; i < ARRAY_LENGTH(match_words); i++) {
		if (match_words[i].is_http == is_http && strcmp(match_words[i].name, name) == 0)
			return &match_words[i];
	}
	return NULL;
}

static int match_take(struct reader *reader, const struct match_word *row, struct config_check_step *step)
{
	const char *value = value_next(reader, row->name);
	if (value == NULL)
		return -EINVAL;
	if (step->text != NULL) {
		report_alert(reader->parser, "'%s' expects one thing only", reader->statement->keyword->name);
		return -EINVAL;
	}
	step->match = row->match;
	text_keep(reader, value, step);
	switch (row->match) {
	case CONFIG_MATCH_BYTES:
	case CONFIG_MATCH_HTTP_BYTES:
		return row->is_hex ? bytes_parse(reader, value, step) : 0;
	case CONFIG_MATCH_HTTP_STATUS:
		return ranges_parse(reader, value, step);
	case CONFIG_MATCH_LINE:
	case CONFIG_MATCH_PATTERN:
	case CONFIG_MATCH_HEX_PATTERN:
	case CONFIG_MATCH_HTTP_STATUS_PATTERN:
	case CONFIG_MATCH_HTTP_PATTERN:
		break;
	}
	return check_pattern_make(reader->parser, step);
}

static int status_take(struct reader *reader, const char *word, struct config_check_step *step)
{
	bool is_ok = word[0] == 'o', is_error = word[0] == 'e';
	const char *value = value_next(reader, word);
	int status;
	if (value == NULL)
		return -EINVAL;
	bool is_known = is_ok ? lookup_value(ok_names, ARRAY_LENGTH(ok_names), value, &status)
		: is_error    ? lookup_value(error_names, ARRAY_LENGTH(error_names), value, &status)
			      : lookup_value(timeout_names, ARRAY_LENGTH(timeout_names), value, &status);
	if (!is_known) {
		report_alert(reader->parser, "'%s' does not know the status '%s'", word, value);
		return -EINVAL;
	}
	*(is_ok ? &step->ok : is_error ? &step->error : &step->timeout) = (enum check_status)status;
	return 0;
}

static int received_take(struct reader *reader, struct config_check_step *step)
{
	const char *value = value_next(reader, "min-recv");
	int64_t number;
	if (value == NULL)
		return -EINVAL;
	if (value_parse_signed(value, &number) != VALUE_OK || number < -1 || number > RECEIVED_MAX) {
		report_alert(reader->parser, "'min-recv' expects a number from -1 to %d, not '%s'",
			RECEIVED_MAX, value);
		return -EINVAL;
	}
	step->received_min = (int)number;
	return 0;
}

static int expect_word(struct reader *reader, const char *word, bool is_http, struct config_check_step *step)
{
	const char *value;
	if (word[0] == '!') {
		step->is_negated = true;
		word = word[1] != '\0' ? word + 1 : value_next(reader, word);
		if (word == NULL)
			return -EINVAL;
	}
	const struct match_word *row = match_find(word, is_http);
	if (row != NULL)
		return match_take(reader, row, step);
	if (strcmp(word, "min-recv") == 0)
		return received_take(reader, step);
	if (strcmp(word, "ok-status") == 0 || strcmp(word, "error-status") == 0 ||
		strcmp(word, "tout-status") == 0)
		return status_take(reader, word, step);
	if (strcmp(word, "comment") != 0)
		return word_refuse(reader, word);
	value = value_next(reader, word);
	if (value == NULL)
		return -EINVAL;
	step->comment = keep(reader, value);
	return 0;
}

static int expect_parse(struct reader *reader, bool is_http, struct config_check_step *ret_step)
{
	const char *word;
	*ret_step = (struct config_check_step){.kind = CONFIG_STEP_EXPECT,
		.received_min = -1,
		.ok = CHECK_L7_OK,
		.error = CHECK_UNKNOWN,
		.timeout = CHECK_L7_TIMEOUT};
	while ((word = word_next(reader)) != NULL) {
		if (expect_word(reader, word, is_http, ret_step) < 0)
			return -EINVAL;
	}
	if (ret_step->text == NULL || ret_step->len == 0)
		return statement_refuse(reader->parser, reader->statement);
	if (ret_step->error == CHECK_UNKNOWN)
		ret_step->error = ret_step->match == CONFIG_MATCH_HTTP_STATUS ||
				ret_step->match == CONFIG_MATCH_HTTP_STATUS_PATTERN
			? CHECK_L7_WRONG
			: CHECK_L7_INVALID;
	return 0;
}

int check_rules_parse_expect(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct config_check_step step;
	return expect_parse(&reader, false, &step) < 0 ? -EINVAL : rule_add(parser, statement, &step);
}

/* --- http-check --- */

int check_rules_parse_http_expect(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	struct draft *draft = parser->draft;
	struct config_check_step step;
	if (expect_parse(&reader, true, &step) < 0 ||
		step_add(parser, &draft->http_expects_end, &draft->proxy.check.http_expects, &step) < 0)
		return -EINVAL;
	return (int)statement->count;
}

/* A line break in it would be another header. */
static bool is_field(const char *text)
{
	return text[0] != '\0' && strpbrk(text, "\r\n") == NULL;
}

static int header_take(struct reader *reader)
{
	struct draft *draft = reader->parser->draft;
	const char *name = value_next(reader, "hdr");
	const char *value = name != NULL ? value_next(reader, "hdr") : NULL;
	if (value == NULL)
		return -EINVAL;
	if (!is_field(name) || strpbrk(name, ": ") != NULL || !is_field(value) ||
		strstr(value, "%[") != NULL) {
		report_alert(reader->parser,
			"'http-check send hdr': '%s: %s' is no header, or one that is to be formatted, which this version cannot",
			name, value);
		return -EINVAL;
	}
	if (draft->headers_end == NULL) {
		draft->proxy.check.headers = NULL;
		draft->headers_end = &draft->proxy.check.headers;
	}
	struct config_http_header *header = arena_alloc(reader->parser->arena, sizeof(*header));
	header->name = keep(reader, name);
	header->value = keep(reader, value);
	*draft->headers_end = header;
	draft->headers_end = &header->next;
	return 0;
}

static int http_send_word(struct reader *reader, const char *word)
{
	struct config_check_plan *plan = &reader->parser->draft->proxy.check;
	const struct {
		const char *name, **member;
	} words[] = {{"meth", &plan->sent_method}, {"uri", &plan->sent_uri}, {"ver", &plan->sent_version},
		{"body", &plan->body}, {"comment", NULL}};
	if (strcmp(word, "hdr") == 0)
		return header_take(reader);
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		if (strcmp(words[i].name, word) != 0)
			continue;
		const char *value = value_next(reader, word);
		if (value == NULL || value[0] == '\0')
			return -EINVAL;
		if (words[i].member != NULL)
			*words[i].member = keep(reader, value);
		return 0;
	}
	return word_refuse(reader, word);
}

int check_rules_parse_http_send(struct parser *parser, const struct statement *statement)
{
	struct reader reader = {parser, statement, 0};
	const char *word;
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	while ((word = word_next(&reader)) != NULL) {
		if (http_send_word(&reader, word) < 0)
			return -EINVAL;
	}
	return (int)statement->count;
}
