/* Whom accept-proxy trusts, and what send-proxy-v2 adds. */
#include "config/proxy_words.h"

#include <errno.h>
#include <string.h>

enum { TRUSTED_MAX = 1024 };

static const char who_is_trusted[] =
	"say whose word may be taken: 'accept-proxy trusted <network>[,<network>...]' with the addresses of "
	"the proxies in front, or 'accept-proxy trusted any' if nobody else can reach this address";

/* One word between commas.  The list has room for it. */
static int trusted_add(
	struct parser *parser, struct config_accept_proxy *accept, struct network *networks, const char *word)
{
	const char *reason;
	if (strcmp(word, "any") == 0) {
		accept->is_any_trusted = true;
		return 0;
	}
	if (strcmp(word, "unix") == 0) {
		accept->is_unix_trusted = true;
		return 0;
	}
	if (network_parse(word, &networks[accept->trusted_count], &reason) < 0) {
		report_alert(parser,
			"'accept-proxy trusted': '%s' is no network such as 10.0.0.0/8 or 2001:db8::/32: %s",
			word, reason);
		return -EINVAL;
	}
	accept->trusted_count++;
	return 0;
}

static unsigned words_count(const char *list)
{
	unsigned count = 1;
	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

static int trusted_parse(struct parser *parser, struct config_accept_proxy *accept, const char *words)
{
	unsigned count = words_count(words);
	char *list = arena_copy(parser->arena, words), *word;
	if (count > TRUSTED_MAX) {
		report_alert(parser, "'accept-proxy' trusts %u networks, more than the %u it can", count,
			TRUSTED_MAX);
		return -EINVAL;
	}
	struct network *networks = arena_alloc(parser->arena, count * sizeof(*networks));
	while ((word = strsep(&list, ",")) != NULL) {
		if (trusted_add(parser, accept, networks, word) < 0)
			return -EINVAL;
	}
	accept->trusted = networks;
	if (accept->is_any_trusted && count > 1) {
		report_alert(parser,
			"'accept-proxy trusted any' trusts everybody: nothing may stand beside 'any'");
		return -EINVAL;
	}
	return 0;
}

/* An alert fails the whole; so that it stays the only one, the words that are ours are
 * taken all the same. */
int proxy_words_parse_accept(struct parser *parser, const struct statement *statement)
{
	struct config_bind *bind = statement->target;
	struct config_accept_proxy accept = {.is_on = true};
	bool is_told = statement->count > 0 && strcmp(statement->words[0], "trusted") == 0;
	if (!is_told || statement->count < 2 || statement->words[1][0] == '\0') {
		report_alert(parser,
			"'accept-proxy' alone would let everybody choose the address they seem to come from; %s",
			who_is_trusted);
		return is_told ? 1 : 0;
	}
	if (trusted_parse(parser, &accept, statement->words[1]) == 0)
		bind->accept_proxy = accept;
	return 2;
}

int proxy_words_check_bind(struct parser *parser, const struct config_bind *bind)
{
	const struct config_accept_proxy *accept = &bind->accept_proxy;
	bool is_inherited = bind->address.len == 0;
	if (!accept->is_on || accept->is_any_trusted || is_inherited)
		return 0;
	bool is_unix = bind->address.any.sa_family == AF_UNIX;
	if (is_unix ? accept->is_unix_trusted : accept->trusted_count > 0)
		return 0;
	report_alert(parser,
		is_unix ? "'accept-proxy' trusts nobody who could connect to '%s': a unix socket's clients are trusted by the word 'unix'"
			: "'accept-proxy' trusts nobody who could connect to '%s': no network is named",
		bind->text);
	return -EINVAL;
}

/* --- servers --- */

/* offset 0: needs the TLS connection with the client that a proxy which only passes
 * bytes on does not have. */
static const struct {
	const char *name;
	size_t offset;
} options[] = {
	{"authority", offsetof(struct config_server, send_proxy.has_authority)},
	{"cert-cn", 0},
	{"cert-key", 0},
	{"cert-sig", 0},
	{"crc32c", offsetof(struct config_server, send_proxy.has_crc32c)},
	{"ssl", 0},
	{"ssl-cipher", 0},
	{"unique-id", offsetof(struct config_server, send_proxy.has_unique_id)},
};

static int option_refuse(struct parser *parser, const struct statement *statement, const char *word)
{
	const char *names[ARRAY_LENGTH(options) + 1] = {NULL};
	unsigned count = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		if (options[i].offset != 0)
			names[count++] = options[i].name;
	}
	return statement_refuse_word(parser, statement, word, name_nearest(names, word));
}

static int option_apply(struct parser *parser, const struct statement *statement, const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		if (strcmp(options[i].name, word) != 0)
			continue;
		if (options[i].offset == 0) {
			report_alert(parser,
				"'proxy-v2-options': '%s' is about TLS with the client, which spliced passes through and does not see into",
				word);
			return -EINVAL;
		}
		*(bool *)((char *)statement->target + options[i].offset) = true;
		return 0;
	}
	return option_refuse(parser, statement, word);
}

int proxy_words_parse_options(struct parser *parser, const struct statement *statement)
{
	char *list, *word;
	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	list = arena_copy(parser->arena, statement->words[0]);
	while ((word = strsep(&list, ",")) != NULL) {
		if (option_apply(parser, statement, word) < 0)
			return -EINVAL;
	}
	return 1;
}
